//! Registers a program's socket with the program's epoll instance, from outside.
//!
//! An epoll instance knows a registration by file and number. So it is made by a thread with a descriptor table of its
//! own, in which the socket has the number it has in the program.

use super::process::Handles;
use crate::epolls::Registration;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::mem::ManuallyDrop;

/// Registers `socket`, which is `fd` in the thread's process, as another was.
///
/// # Errors
/// When no thread can be started, or the program's epoll instance is gone.
pub fn register(
    handles: &Handles,
    thread: u32,
    fd: u32,
    socket: BorrowedFd<'_>,
    registrations: &[Registration],
) -> Result<(), Errno> {
    for registration in registrations {
        let epoll = handles.descriptor(thread, registration.epoll)?;
        let apart = || register_apart(&epoll, socket, fd as i32, registration);
        std::thread::scope(|scope| scope.spawn(apart).join().unwrap_or(Err(Errno::IO)))?;
    }
    Ok(())
}

fn register_apart(epoll: &OwnedFd, socket: BorrowedFd<'_>, fd: i32, registration: &Registration) -> Result<(), Errno> {
    // SAFETY: gives this thread a copy of the descriptor table, which ends with it. The descriptors it borrowed are open
    // in the copy too.
    if unsafe { libc::unshare(libc::CLONE_FILES) } != 0 {
        return Err(Errno::NOBUFS);
    }
    // The number may be the epoll instance's own here, so that one gets another.
    let epoll = rustix::io::fcntl_dupfd_cloexec(epoll, fd + 1)?;
    // SAFETY: whatever the number meant in this thread's table, only the lines below use it, for the socket. It is not
    // closed by us: the table ends with the thread.
    let mut numbered = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
    if socket.as_raw_fd() != fd {
        rustix::io::dup2(socket, &mut numbered)?;
    }
    let events = EventFlags::from_bits_retain(registration.events);
    epoll::add(&epoll, &*numbered, EventData::new_u64(registration.data), events)
}

#[cfg(test)]
mod tests {
    use super::register;
    use crate::epolls::{Registration, registrations};
    use crate::supervisor::process::Handles;
    use rustix::event::{EventfdFlags, epoll, eventfd};
    use rustix::fd::{AsFd, AsRawFd};

    #[test]
    fn a_descriptor_is_registered_under_another_s_number() {
        let instance = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let ready = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
        let thread = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        // The number of the epoll instance itself is the hardest.
        for fd in [500, instance.as_raw_fd() as u32] {
            let wanted = Registration { epoll: instance.as_raw_fd() as u32, events: 1, data: 0x5_0000_0007 };
            register(&Handles::default(), thread, fd, ready.as_fd(), &[wanted]).unwrap();
            let found = registrations("self", fd);
            assert_eq!((found.len(), found[0].data), (1, wanted.data));
        }
    }
}
