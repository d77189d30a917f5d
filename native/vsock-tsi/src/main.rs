//! `dpb-vsock-tsi`: see the library and `native/PROTOCOL.md`.

fn main() {}
