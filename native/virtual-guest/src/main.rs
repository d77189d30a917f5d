//! `dpb-virtual-guest`: see the library and `native/PROTOCOL.md`.

fn main() {}
