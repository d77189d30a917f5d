//! The system calls, one by one: fetch what a program gave, let `moved` do it, hand the result back.
//!
//! Each step here is a system call, and each is counted: on User Mode Linux it costs 14 µs.

#![forbid(unsafe_code)]

use super::notify::Notification;
use super::parking::{self, Waited};
use super::process::{self, Pending, read, write};
use super::{Supervisor, rights, swap};
use crate::address;
use crate::architecture::NATIVE;
use crate::moved::{self, Outcome};
use crate::socket::{self, End, Name};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use std::sync::Arc;

/// Longest name a system call takes (struct sockaddr_storage).
const LONGEST_NAME: usize = 128;
const CLOSE_ON_EXEC: u32 = libc::SOCK_CLOEXEC as u32;

impl Supervisor {
    pub(super) fn dispatch(self: &Arc<Self>, call: &Notification) {
        let number = call.number;
        if number == NATIVE.socket {
            self.open(call);
        } else if number == NATIVE.connect {
            self.connect(call);
        } else if number == NATIVE.accept || number == NATIVE.accept4 {
            self.accept(call);
        } else if let Ok(socket) = self.handles.descriptor(call.thread, call.int(0)) {
            self.on_socket(call, socket);
        } else {
            // No such descriptor; the kernel says it best.
            self.proceed(call);
        }
    }

    fn on_socket(&self, call: &Notification, socket: OwnedFd) {
        let fd = socket.as_fd();
        let number = call.number;
        if number == NATIVE.getsockname {
            self.name(call, socket, End::Near);
        } else if number == NATIVE.getpeername {
            self.name(call, socket, End::Far);
        } else if number == NATIVE.getsockopt {
            let value = moved::option(fd, call.int(1), call.int(2));
            let (at, length_at) = (call.arguments[3], call.arguments[4]);
            self.tell(call, socket, value, |value| give(call.thread, at, length_at, &value, Length::Given));
        } else if number == NATIVE.ioctl {
            let number = moved::ioctl(fd, call.int(1));
            self.tell(call, socket, number, |number| {
                write(call.thread, [(call.arguments[2], &number.to_ne_bytes()[..])])
            });
        } else if number == NATIVE.setsockopt {
            let value = || {
                let mut bytes = [0; 4];
                read(call.thread, call.arguments[3], &mut bytes).map(|()| i32::from_ne_bytes(bytes))
            };
            let set = moved::set_option(fd, call.int(1), call.int(2), value);
            self.finish(call, socket, set);
        } else if number == NATIVE.listen {
            let listening = moved::listen(fd, call.int(1) as i32);
            self.finish(call, socket, listening);
        } else if number == NATIVE.bind {
            self.bind(call, socket);
        } else {
            self.proceed(call);
        }
    }

    fn open(&self, call: &Notification) {
        let Some((family, flags)) = moved::birth(call.int(0), call.int(1), call.int(2)) else {
            return self.proceed(call);
        };
        match socket::open(family, flags | CLOSE_ON_EXEC) {
            Ok(socket) => self.give_descriptor(call, socket.as_fd(), flags & CLOSE_ON_EXEC != 0),
            Err(error) => self.answer(call, Err(error)),
        }
    }

    fn connect(self: &Arc<Self>, call: &Notification) {
        let Some((name, length)) = self.name_given(call) else { return self.proceed(call) };
        let name = &name[..length];
        // Unix sockets go their way without a further look.
        if !matches!(address::parse(name), Ok(Some(_))) {
            return self.proceed(call);
        }
        let Ok(socket) = self.handles.descriptor(call.thread, call.int(0)) else { return self.proceed(call) };
        if let Err(error) = self.about_to_wait() {
            return self.answer(call, Err(error));
        }
        let outcome = moved::connect(socket.as_fd(), name, self.pod);
        self.finish(call, socket, outcome);
    }

    fn bind(&self, call: &Notification, socket: OwnedFd) {
        let Some((name, length)) = self.name_given(call) else { return self.proceed(call) };
        let may_bind = |port| rights::may_bind(call.thread, port);
        let outcome = moved::bind(socket.as_fd(), &name[..length], self.pod, may_bind);
        self.finish(call, socket, outcome);
    }

    /// Our copy of the program's socket is given up before the program goes on: a socket it closes must be closed.
    fn finish(&self, call: &Notification, socket: OwnedFd, outcome: Outcome<()>) {
        match outcome {
            Outcome::Done(result) => {
                drop(socket);
                self.answer(call, result);
            }
            Outcome::Foreign => {
                drop(socket);
                self.proceed(call);
            }
            Outcome::Replace(new, result) => {
                let replaced = swap::replace(&self.listener, &self.handles, call, socket, &new);
                drop(new);
                self.answer(call, replaced.and(result));
            }
        }
    }

    /// As `finish`, for a result that goes into the program's memory.
    fn tell<T>(
        &self,
        call: &Notification,
        socket: OwnedFd,
        outcome: Outcome<T>,
        hand_over: impl FnOnce(T) -> Result<(), Errno>,
    ) {
        drop(socket);
        match outcome {
            Outcome::Done(result) => self.answer(call, result.and_then(hand_over)),
            Outcome::Foreign | Outcome::Replace(..) => self.proceed(call),
        }
    }

    fn accept(self: &Arc<Self>, call: &Notification) {
        let Ok(listener) = self.handles.descriptor(call.thread, call.int(0)) else { return self.proceed(call) };
        let flags = if call.number == NATIVE.accept4 { call.int(3) } else { 0 };
        if !fcntl_getfl(&listener).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK)) {
            match self.wait_for_caller(call, listener) {
                Ok(Some(listener)) => self.accept_now(call, listener, flags),
                Ok(None) => {}
                Err(error) => self.answer(call, Err(error)),
            }
            return;
        }
        self.accept_now(call, listener, flags);
    }

    /// Gives the listener back once `accept` will not wait; None when there is nothing left to do.
    fn wait_for_caller(self: &Arc<Self>, call: &Notification, listener: OwnedFd) -> Result<Option<OwnedFd>, Errno> {
        // What does not listen has nothing to wait for: accept says so at once.
        if is_readable(&listener) || socket::number_option(listener.as_fd(), libc::SO_ACCEPTCONN) != Ok(1) {
            return Ok(Some(listener));
        }
        self.about_to_wait()?;
        let process = self.handles.of(call.thread)?;
        let is_waiting = || self.listener.is_waiting(call.id);
        match parking::wait(call.thread, listener.as_fd(), process.pidfd(), is_waiting) {
            Waited::Ready => Ok(Some(listener)),
            Waited::Gone => Ok(None),
            Waited::Signalled(pending) => {
                drop(listener);
                match pending {
                    Pending::Here => drop(self.listener.interrupt(call.id)),
                    // Another thread may take it: then nothing would turn the kernel's word into a program's.
                    Pending::Somewhere => self.answer(call, Err(Errno::INTR)),
                }
                Ok(None)
            }
        }
    }

    fn accept_now(&self, call: &Notification, listener: OwnedFd, flags: u32) {
        let accepted = socket::accept(listener.as_fd(), flags | CLOSE_ON_EXEC);
        drop(listener);
        let (connection, name) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return self.answer(call, Err(error)),
        };
        if let Err(error) = self.give_caller(call, connection.as_fd(), &name) {
            return self.answer(call, Err(error));
        }
        self.give_descriptor(call, connection.as_fd(), flags & CLOSE_ON_EXEC != 0);
    }

    fn give_caller(&self, call: &Notification, connection: BorrowedFd<'_>, name: &Name) -> Result<(), Errno> {
        let (at, length_at) = (call.arguments[1], call.arguments[2]);
        match name.vsock() {
            Some(peer) => {
                let (name, family) = moved::caller(connection, peer, self.pod);
                let (bytes, length) = address::encode(name, family);
                give(call.thread, at, length_at, &bytes[..length], Length::Whole)
            }
            None => give(call.thread, at, length_at, name.bytes(), Length::Whole),
        }
    }

    fn name(&self, call: &Notification, socket: OwnedFd, end: End) {
        let name = moved::name(socket.as_fd(), end, || Some(self.pod));
        self.tell(call, socket, name, |(name, family)| {
            let (bytes, length) = address::encode(name, family);
            give(call.thread, call.arguments[1], call.arguments[2], &bytes[..length], Length::Whole)
        });
    }

    /// The name in a call's second and third argument; None when the kernel will refuse it.
    fn name_given(&self, call: &Notification) -> Option<([u8; LONGEST_NAME], usize)> {
        let length = call.int(2) as usize;
        let mut name = [0; LONGEST_NAME];
        read(call.thread, call.arguments[1], name.get_mut(..length)?).ok()?;
        Some((name, length))
    }

    fn give_descriptor(&self, call: &Notification, fd: BorrowedFd<'_>, close_on_exec: bool) {
        if let Err(error) = self.listener.answer_with(call.id, fd, close_on_exec) {
            self.answer(call, Err(error));
        }
    }

    fn answer(&self, call: &Notification, result: Result<(), Errno>) {
        let _killed = self.listener.answer(call.id, result.map(|()| 0));
    }

    fn proceed(&self, call: &Notification) {
        let _killed = self.listener.proceed(call.id);
    }
}

fn is_readable(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
}

/// What a length by reference says afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// All there is, though the buffer may have been shorter: names.
    Whole,
    /// What was written: options.
    Given,
}

/// Writes bytes to a buffer whose length is at `length_at`.
fn give(thread: u32, at: u64, length_at: u64, bytes: &[u8], says: Length) -> Result<(), Errno> {
    let mut room = [0; 4];
    read(thread, length_at, &mut room)?;
    let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| Errno::INVAL)?;
    let given = &bytes[..room.min(bytes.len())];
    let length = if says == Length::Whole { bytes.len() } else { given.len() } as u32;
    if given.is_empty() {
        return write(thread, [(length_at, &length.to_ne_bytes()[..])]);
    }
    process::write(thread, [(at, given), (length_at, &length.to_ne_bytes()[..])])
}
