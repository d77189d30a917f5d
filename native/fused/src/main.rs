//! `dpb-fused`: see the library and `native/PROTOCOL.md`.

fn main() {}
