//! `dpb-tunnel`: see the library and `native/PROTOCOL.md`.

fn main() {}
