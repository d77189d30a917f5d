//! Another socket in the place of a program's.

use crate::native;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, FdFlags, fcntl_getfd};
use tsi::epolls;

/// Puts a socket at the descriptor of another, and registers it with the epoll instances that had the old one.
/// Duplicates of the descriptor keep the old socket.
pub fn replace(old: BorrowedFd<'_>, new: &OwnedFd) -> Result<(), Errno> {
    let fd = old.as_raw_fd();
    let registrations = epolls::registrations("self", fd as u32);
    let flags = if fcntl_getfd(old)?.contains(FdFlags::CLOEXEC) { libc::O_CLOEXEC } else { 0 };
    // SAFETY: no pointers. The descriptor stays open throughout: the kernel changes what it means at once.
    if unsafe { native::call(libc::SYS_dup3, [new.as_raw_fd() as usize, fd as usize, flags as usize, 0, 0]) } < 0 {
        return Err(Errno::BADF);
    }
    for registration in registrations {
        let Some(instance) = native::borrow(registration.epoll as i32) else { continue };
        let events = EventFlags::from_bits_retain(registration.events);
        epoll::add(instance, old, EventData::new_u64(registration.data), events)?;
    }
    Ok(())
}
