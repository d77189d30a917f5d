//! The texts of an HBONE request: authority, `forwarded`, `baggage`.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Private to the tunnel, and without a need for anything else of it.
#[path = "../../tunnel/src/authority.rs"]
#[allow(dead_code)]
mod authority;

fuzz_target!(|text: &str| {
    if let Some(to) = authority::parse_authority(text) {
        assert_eq!(to.to_string(), text, "one address, one way to write it");
        assert_ne!(to.port(), 0);
    }
    if let Some(from) = authority::parse_forwarded(text) {
        assert_eq!(authority::parse_forwarded(&authority::forwarded(from)), Some(from));
    }
    let baggage = authority::baggage(text);
    assert!(baggage.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\"\\".contains(&byte)), "{baggage}");
});
