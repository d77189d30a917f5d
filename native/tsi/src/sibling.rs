//! A socket like another, to take its place.

#![forbid(unsafe_code)]

use crate::address::Family;
use crate::mark::Mark;
use crate::socket;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Options of SOL_SOCKET that a program may have set before.
const CARRIED: [i32; 6] =
    [libc::SO_REUSEADDR, libc::SO_REUSEPORT, libc::SO_KEEPALIVE, libc::SO_LINGER, libc::SO_RCVTIMEO, libc::SO_SNDTIMEO];
/// Longest of them: struct timeval.
const LONGEST: usize = 16;
const CLOSE_ON_EXEC: u32 = libc::SOCK_CLOEXEC as u32;

/// A real TCP socket like a moved one.
///
/// # Errors
/// As socket(2).
pub fn tcp(like: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let mark = Mark::of(like);
    let domain = if mark.family() == Family::V6 { libc::AF_INET6 } else { libc::AF_INET };
    let tcp = carry(like, socket::open_as(domain, CLOSE_ON_EXEC)?)?;
    if mark.is_v6_only() {
        socket::set_option(tcp.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &1i32.to_ne_bytes())?;
    }
    // Setting TCP options is answered without being done, so the one that matters on a loopback is set here.
    socket::set_option(tcp.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, &1i32.to_ne_bytes())?;
    Ok(tcp)
}

/// A new moved socket like one that cannot be used again.
///
/// # Errors
/// As socket(2).
pub fn moved(like: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    carry(like, socket::open(Mark::of(like).family(), CLOSE_ON_EXEC)?)
}

fn carry(like: BorrowedFd<'_>, to: OwnedFd) -> Result<OwnedFd, Errno> {
    fcntl_setfl(&to, fcntl_getfl(like)?)?;
    for option in CARRIED {
        let mut value = [0; LONGEST];
        if let Ok(length) = socket::option(like, libc::SOL_SOCKET, option, &mut value) {
            // Some kernels know an option of one family only; where it cannot be set, it was not.
            let _lacking = socket::set_option(to.as_fd(), libc::SOL_SOCKET, option, &value[..length]);
        }
    }
    Ok(to)
}
