//! Addresses that programs hand to their kernel, as the supervisor reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use tsi::address::{self, Family};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(address)) = address::parse(bytes) else { return };
    assert!(bytes.len() >= 16);
    if let SocketAddr::V4(name) = address {
        let (encoded, length) = address::encode(name, Family::V4);
        assert_eq!(address::parse(&encoded[..length]), Ok(Some(address)));
        let (mapped, length) = address::encode(name, Family::V6);
        let again = address::parse(&mapped[..length]).expect("our own address").expect("of the internet");
        assert_eq!(again.port(), name.port());
    }
});
