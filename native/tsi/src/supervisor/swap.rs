//! Another socket in the place of a program's.

#![forbid(unsafe_code)]

use super::notify::{Listener, Notification};
use super::process::Handles;
use super::transplant;
use crate::epolls;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

/// Puts a socket at the descriptor a call is about, and registers it with the epoll instances that had the old one, which
/// is given up. Duplicates of the descriptor keep the old socket.
///
/// # Errors
/// When the caller is gone.
pub fn replace(
    listener: &Listener,
    handles: &Handles,
    call: &Notification,
    old: OwnedFd,
    new: &OwnedFd,
) -> Result<(), Errno> {
    let fd = call.int(0);
    let registrations = epolls::registrations(&call.thread.to_string(), fd);
    listener.replace(call.id, new.as_fd(), fd, closes_on_exec(call.thread, fd))?;
    // As long as anyone has the old socket epoll tells of both, and the next line may copy what we have.
    drop(old);
    transplant::register(handles, call.thread, fd, new.as_fd(), &registrations)
}

/// Whether a thread's descriptor is closed by exec: a flag of the number, which our copy does not show.
fn closes_on_exec(thread: u32, fd: u32) -> bool {
    let info = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| i32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0);
    flags & libc::O_CLOEXEC != 0
}
