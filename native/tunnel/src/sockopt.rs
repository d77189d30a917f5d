//! Socket options that rustix has no safe call for: the one file of this crate with `unsafe`.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// Marks every packet of the socket, so that the pod's own redirection leaves it alone (needs CAP_NET_ADMIN).
///
/// # Errors
/// As setsockopt(2).
pub fn set_mark(socket: impl AsFd, mark: u32) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())
}

/// Lets the socket speak from an address that is not the machine's own (needs CAP_NET_ADMIN).
///
/// # Errors
/// As setsockopt(2).
pub fn set_transparent(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_IP, libc::IP_TRANSPARENT, 1)
}

/// Leaves the port of an address bound with port 0 open until `connect`, when the destination tells which are free.
///
/// # Errors
/// As setsockopt(2).
pub fn set_bind_address_no_port(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set(socket: impl AsFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as its borrow lives; the kernel reads `length` bytes, the size of `value`,
    // which outlives the call, and keeps no pointer.
    let done = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
