//! A free port for a program that leaves the choice to the kernel. vsock itself would choose one above 65535.

use crate::address::Vsock;
use crate::socket;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use std::sync::atomic::{AtomicU32, Ordering};

/// First automatic port of TCP and how many there are (net.ipv4.ip_local_port_range, its default).
const FIRST: u32 = 32_768;
const COUNT: u32 = 28_232;

/// Counts up, so that a port just given up is the last to be tried again.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Binds to a free port of a CID.
///
/// # Errors
/// EADDRINUSE when none is free; else as bind(2).
pub fn bind_free(socket: BorrowedFd<'_>, cid: u32) -> Result<(), Errno> {
    // Programs side by side begin apart.
    let start = std::process::id().wrapping_mul(2_654_435_761) % COUNT;
    for _ in 0..COUNT {
        let port = FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT;
        match socket::bind(socket, Vsock { cid, port }) {
            Err(Errno::ADDRINUSE) => {}
            bound => return bound,
        }
    }
    Err(Errno::ADDRINUSE)
}
