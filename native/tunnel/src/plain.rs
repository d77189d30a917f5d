//! Plaintext from outside the mesh: two sockets, and what goes between them.

#![forbid(unsafe_code)]

use crate::buffer::Buffer;
use crate::sockets::reset_on_close;
use poller::Event;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{Shutdown, sockopt};

/// Bytes that may wait in one direction.
const MOST_WAITING: usize = 64 << 10;

#[derive(Debug)]
struct End {
    socket: OwnedFd,
    readable: bool,
    writable: bool,
    peer_finished: bool,
    /// From this socket to the other.
    waiting: Buffer,
    ended: bool,
    passed_on: bool,
}

/// Which of the two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of whoever called.
    Caller,
    /// Of the application.
    Application,
}

/// Two sockets; the application's is on its way.
#[derive(Debug)]
pub struct Plain {
    caller: End,
    application: End,
}

impl End {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            readable: false,
            writable: false,
            peer_finished: false,
            waiting: Buffer::default(),
            ended: false,
            passed_on: false,
        }
    }

    fn note(&mut self, event: Event) -> Result<(), Errno> {
        self.readable |= event.readable;
        self.writable |= event.writable;
        self.peer_finished |= event.peer_finished || event.broken;
        if event.broken { sockopt::socket_error(&self.socket)? } else { Ok(()) }
    }
}

impl Plain {
    /// A pair.
    #[must_use]
    pub fn new(caller: OwnedFd, application: OwnedFd) -> Self {
        Self { caller: End::new(caller), application: End::new(application) }
    }

    /// The two sockets.
    #[must_use]
    pub fn sockets(&self) -> (&OwnedFd, &OwnedFd) {
        (&self.caller.socket, &self.application.socket)
    }

    /// An event of one socket; true when the pair has ended.
    pub fn on_event(&mut self, which: Which, event: Event) -> bool {
        let noted = match which {
            Which::Caller => self.caller.note(event),
            Which::Application => self.application.note(event),
        };
        let moved = noted
            .and_then(|()| copy(&mut self.caller, &mut self.application))
            .and_then(|()| copy(&mut self.application, &mut self.caller));
        match moved {
            Ok(()) => self.caller.passed_on && self.application.passed_on,
            Err(_) => {
                reset_on_close(&self.caller.socket);
                reset_on_close(&self.application.socket);
                true
            }
        }
    }
}

fn copy(from: &mut End, to: &mut End) -> Result<(), Errno> {
    loop {
        while to.writable && !from.waiting.is_empty() {
            match rustix::io::write(&to.socket, from.waiting.filled()) {
                Ok(count) => {
                    to.writable = count == from.waiting.len();
                    from.waiting.consume(count);
                }
                Err(Errno::AGAIN) => to.writable = false,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        if from.ended && from.waiting.is_empty() && to.writable && !from.passed_on {
            from.passed_on = true;
            let _gone = rustix::net::shutdown(&to.socket, Shutdown::Write);
        }
        if !from.readable || from.ended || !from.waiting.is_empty() {
            return Ok(());
        }
        let room = from.waiting.room(MOST_WAITING);
        let wanted = room.len();
        match rustix::io::read(&from.socket, room) {
            Ok(0) => from.ended = true,
            Ok(count) => {
                from.waiting.advance(count);
                from.readable = count == wanted || from.peer_finished;
            }
            Err(Errno::AGAIN) => from.readable = false,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
