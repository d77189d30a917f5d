//! A guest with a proper driver: only what it says is the fuzzer's. The device must never close on it.
#![no_main]

use fuzz::bench::Bench;
use fuzz::steps::{Step, Walk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, bool, Vec<Step>)| {
    let (moods, event_idx, steps) = input;
    let mut walk = Walk::new(Bench::new(&moods, event_idx));
    let mut given = 0;
    for step in &steps {
        let proper = match step {
            Step::Describe { .. } | Step::Push { .. } | Step::Scribble { .. } => false,
            // Not more at a time than the rings hold.
            Step::Send(_) | Step::Give(_) => {
                given += 1;
                given <= 8
            }
            Step::Run => {
                given = 0;
                true
            }
            _ => true,
        };
        if proper {
            walk.step(step).expect("no rule was broken");
        }
    }
    walk.end();
});
