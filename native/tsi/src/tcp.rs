//! A real TCP socket like a moved one.

use crate::address::Family;
use crate::socket;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Options of SOL_SOCKET that a program may have set before.
const CARRIED: [i32; 6] =
    [libc::SO_REUSEADDR, libc::SO_REUSEPORT, libc::SO_KEEPALIVE, libc::SO_LINGER, libc::SO_RCVTIMEO, libc::SO_SNDTIMEO];
/// Longest of them: struct timeval.
const LONGEST: usize = 16;

/// A TCP socket with the family, flags and options of a moved one.
///
/// # Errors
/// As socket(2).
pub fn sibling(moved: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let domain = if socket::family(moved) == Family::V6 { libc::AF_INET6 } else { libc::AF_INET };
    let tcp = socket::open_as(domain, libc::SOCK_CLOEXEC as u32)?;
    fcntl_setfl(&tcp, fcntl_getfl(moved)?)?;
    for option in CARRIED {
        let mut value = [0; LONGEST];
        if let Ok(length) = socket::option(moved, libc::SOL_SOCKET, option, &mut value) {
            socket::set_option(tcp.as_fd(), libc::SOL_SOCKET, option, &value[..length])?;
        }
    }
    // Setting TCP options is answered without being done, so the one that matters on a loopback is set here.
    socket::set_option(tcp.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32.to_ne_bytes())?;
    Ok(tcp)
}
