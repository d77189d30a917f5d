//! A guest with a proper driver: only what it says is the fuzzer's. The device must never close on it.
#![no_main]

use fuzz::bench::Bench;
use fuzz::steps::{Step, Walk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, bool, Vec<Step>)| {
    let (moods, event_idx, steps) = input;
    let mut walk = Walk::new(Bench::new(&moods, event_idx));
    let proper = |step: &&Step| !matches!(step, Step::Describe { .. } | Step::Push { .. } | Step::Scribble { .. });
    for step in steps.iter().filter(proper) {
        walk.step(step).expect("no rule was broken");
    }
    walk.end();
});
