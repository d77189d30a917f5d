//! Binding a vsock port; a free one for a program that leaves the choice to the kernel, which would choose one above 65535.

#![forbid(unsafe_code)]

use crate::address::{UNCALLED, Vsock};
use crate::socket;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use std::sync::atomic::{AtomicU32, Ordering};

/// First automatic port of TCP and how many there are (net.ipv4.ip_local_port_range, its default).
const FIRST: u32 = 32_768;
const COUNT: u32 = 28_232;

/// Counts up, so that a port just given up is the last to be tried again.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Binds; port 0, or the first of the uncalled, means any that is free.
///
/// # Errors
/// EADDRINUSE when it, or every one, is taken; else as bind(2).
pub fn bind(socket: BorrowedFd<'_>, at: Vsock) -> Result<(), Errno> {
    if at.port != 0 && at.port != UNCALLED {
        return socket::bind(socket, at);
    }
    // Programs side by side begin apart.
    let start = std::process::id().wrapping_mul(2_654_435_761) % COUNT;
    for _ in 0..COUNT {
        let free = FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT;
        match socket::bind(socket, Vsock { port: at.port + free, ..at }) {
            Err(Errno::ADDRINUSE) => {}
            bound => return bound,
        }
    }
    Err(Errno::ADDRINUSE)
}
