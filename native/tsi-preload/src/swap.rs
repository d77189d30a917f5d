//! A real TCP socket in the place of a moved one, for what stays on the guest's own loopback.

use crate::native;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::{Errno, FdFlags, fcntl_getfd};
use tsi::{epolls, tcp};

/// Puts a TCP socket with the same options and flags at the descriptor, and registers it with the epoll instances that
/// had the old one. Duplicates of the descriptor keep the old socket.
pub fn to_tcp(moved: BorrowedFd<'_>) -> Result<(), Errno> {
    let fd = moved.as_raw_fd();
    let socket = tcp::sibling(moved)?;
    let registrations = epolls::registrations("self", fd as u32);
    let flags = if fcntl_getfd(moved)?.contains(FdFlags::CLOEXEC) { libc::O_CLOEXEC } else { 0 };
    // SAFETY: no pointers. The descriptor stays open throughout: the kernel changes what it means at once.
    if unsafe { native::call(libc::SYS_dup3, [socket.as_raw_fd() as usize, fd as usize, flags as usize, 0, 0]) } < 0 {
        return Err(Errno::BADF);
    }
    for registration in registrations {
        let Some(instance) = native::borrow(registration.epoll as i32) else { continue };
        let events = EventFlags::from_bits_retain(registration.events);
        epoll::add(instance, moved, EventData::new_u64(registration.data), events)?;
    }
    Ok(())
}
