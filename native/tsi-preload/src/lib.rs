//! `LD_PRELOAD=libdpb_tsi.so`: libc's socket functions for programs whose TCP sockets are moved onto vsock.
//!
//! What each call means is in the crate `tsi`, which makes system calls directly and so never comes back here. Nothing is
//! remembered about a socket: all threads may call at once, and `dup`, `fork` and `exec` need no care.

mod connections;
mod native;
mod options;
mod swap;

use std::sync::OnceLock;
use tsi::address::Pod;
use tsi::hello;

/// Exit code when the device does not serve TSI (EX_UNAVAILABLE of sysexits.h).
const UNAVAILABLE: i32 = 69;

/// The pod this program is moved into; None when it is to be left alone. Asked for at its first TCP socket.
fn pod() -> Option<Pod> {
    static POD: OnceLock<Option<Pod>> = OnceLock::new();
    *POD.get_or_init(|| {
        if std::env::var_os("DPB_TSI").is_some_and(|value| value == "off") {
            return None;
        }
        let pod = hello::pod().unwrap_or_else(|error| {
            eprintln!("dpb-tsi: {error}");
            std::process::exit(UNAVAILABLE)
        });
        Some(pod)
    })
}
