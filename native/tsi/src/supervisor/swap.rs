//! A real TCP socket in the place of a moved one, for what stays on the guest's own loopback.

use super::notify::{Listener, Notification};
use super::process::Handles;
use super::transplant;
use crate::{epolls, tcp};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

/// Puts a TCP socket with the same options and flags at the descriptor a call is about, and registers it with the epoll
/// instances that had the old one. Duplicates of the descriptor keep the old socket.
///
/// # Errors
/// When the guest has no TCP, or the caller is gone.
pub fn to_tcp(listener: &Listener, handles: &Handles, call: &Notification, moved: BorrowedFd<'_>) -> Result<(), Errno> {
    let fd = call.int(0);
    let socket = tcp::sibling(moved)?;
    let registrations = epolls::registrations(&call.thread.to_string(), fd);
    listener.replace(call.id, socket.as_fd(), fd, closes_on_exec(call.thread, fd))?;
    transplant::register(handles, call.thread, fd, socket.as_fd(), &registrations)
}

/// Whether a thread's descriptor is closed by exec: a flag of the number, which our copy does not show.
fn closes_on_exec(thread: u32, fd: u32) -> bool {
    let info = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| i32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0);
    flags & libc::O_CLOEXEC != 0
}
