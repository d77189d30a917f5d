//! A guest that does anything to its rings and its memory.
#![no_main]

use fuzz::bench::Bench;
use fuzz::steps::{Step, Walk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, bool, Vec<Step>)| {
    let (moods, event_idx, steps) = input;
    let mut walk = Walk::new(Bench::new(&moods, event_idx));
    for step in &steps {
        // A device closed on its guest is not looked at again.
        if walk.step(step).is_err() {
            break;
        }
    }
    walk.end();
});
