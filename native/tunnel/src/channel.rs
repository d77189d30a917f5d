//! One TLS connection on a non-blocking socket, as the byte stream that HTTP/2 runs on.
//!
//! Reading is pulled by HTTP/2. Writing is gathered: plaintext to full records, records to one system call at the end of a
//! turn, or when so much is waiting that more would only grow the buffer.

#![forbid(unsafe_code)]

use crate::buffer::Buffer;
use crate::session::{RECORD, Session, Step};
use poller::Event;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Encrypted bytes that may wait for the socket, before HTTP/2 has to wait.
const MOST_WAITING: usize = 128 << 10;
/// Bytes read from the socket at once: first, and once reads fill the room.
const READ_ROOM: usize = 32 << 10;
const BULK_READ_ROOM: usize = 128 << 10;
/// Bytes read from one socket in one turn, so that others get theirs. In two turns HTTP/2 cannot receive more small frames
/// than it tolerates (half of the connection's window, [`crate::backlog`]).
const TURN_BUDGET: usize = 128 << 10;

/// A TLS connection on a socket.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    session: Session,
    received: Buffer,
    opened: Buffer,
    plain: Buffer,
    sealed: Buffer,
    read_room: usize,
    budget: usize,
    readable: bool,
    writable: bool,
    /// The peer has finished its half of the TCP connection: reading goes on to the end, short reads or not.
    peer_finished: bool,
    /// Nothing more will be received.
    ended: bool,
    failure: Option<rustls::Error>,
}

impl Channel {
    /// A channel on a socket that is connected, or on the way to it.
    #[must_use]
    pub fn new(socket: OwnedFd, session: Session) -> Self {
        Self {
            socket,
            session,
            received: Buffer::default(),
            opened: Buffer::default(),
            plain: Buffer::default(),
            sealed: Buffer::default(),
            read_room: READ_ROOM,
            budget: TURN_BUDGET,
            readable: false,
            writable: false,
            peer_finished: false,
            ended: false,
            failure: None,
        }
    }

    /// Notes what the poller has said; whether there is anything to do.
    pub fn note(&mut self, event: Event) -> bool {
        let useful = event.readable || (event.writable && !self.sealed.is_empty()) || !self.writable;
        self.readable |= event.readable;
        self.writable |= event.writable;
        self.peer_finished |= event.peer_finished || event.broken;
        useful
    }

    /// A new turn: the channel may read its share again.
    pub fn refill(&mut self) {
        self.budget = TURN_BUDGET;
    }

    /// Whether the channel stopped reading because of its share, not for want of bytes.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.budget == 0 && self.readable && !self.ended
    }

    /// Whether the socket can be written to, as far as known.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The TLS session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What TLS has failed with.
    #[must_use]
    pub fn failure(&self) -> Option<&rustls::Error> {
        self.failure.as_ref()
    }

    /// Drives the handshake; `Ready` when both sides are known.
    ///
    /// # Errors
    /// When the peer, or what it shows, is refused, or it goes away.
    pub fn poll_handshake(&mut self) -> Poll<io::Result<()>> {
        // What comes behind the handshake is kept.
        let mut no_reader = ReadBuf::new(&mut []);
        while self.session.is_handshaking() {
            if self.advance(&mut no_reader)?.is_pending() {
                self.send()?;
                return Poll::Pending;
            }
            if self.ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.send()?;
        Poll::Ready(Ok(()))
    }

    /// Says goodbye (or why not), as far as the socket takes it at once.
    pub fn close(&mut self) {
        if self.seal().is_ok() || self.failure.is_some() {
            self.session.last_words(&mut self.sealed);
        }
        let _gone = self.write_out();
    }

    /// Encrypts what has been gathered and writes to the socket what it takes.
    ///
    /// # Errors
    /// When the socket or the session is broken.
    pub fn send(&mut self) -> io::Result<()> {
        self.seal()?;
        self.write_out()
    }

    /// Gets further by one step: decrypts records, or reads. Decrypted bytes go `into` the reader's buffer as far as there
    /// is room.
    fn advance(&mut self, into: &mut ReadBuf<'_>) -> io::Result<Poll<()>> {
        let Self { session, received, opened, sealed, .. } = self;
        let mut take = |bytes: &[u8]| {
            let (fits, rest) = bytes.split_at(bytes.len().min(into.remaining()));
            into.put_slice(fits);
            opened.extend(rest);
        };
        let (used, step) = session.open(received.filled_mut(), &mut take, sealed);
        received.consume(used);
        match step {
            Ok(Step::Again | Step::Sealed) => Ok(Poll::Ready(())),
            Ok(Step::Closed) => {
                self.ended = true;
                Ok(Poll::Ready(()))
            }
            Ok(Step::Starved) => self.receive(),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Reads from the socket, once.
    fn receive(&mut self) -> io::Result<Poll<()>> {
        if !self.readable || self.budget == 0 {
            return Ok(Poll::Pending);
        }
        let room = self.received.room(self.read_room);
        let wanted = room.len();
        match rustix::io::read(&self.socket, room) {
            Ok(0) => {
                self.ended = true;
                self.readable = false;
            }
            Ok(count) => {
                self.received.advance(count);
                self.budget = self.budget.saturating_sub(count);
                // A short read has emptied the socket: what comes later raises a new event, except an end seen already.
                self.readable = count == wanted || self.peer_finished;
                if count == wanted {
                    self.read_room = BULK_READ_ROOM;
                }
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                return Ok(Poll::Pending);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Poll::Ready(()))
    }

    fn fail(&mut self, error: rustls::Error) -> io::Error {
        let told = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        self.failure = Some(error);
        told
    }

    fn seal(&mut self) -> io::Result<()> {
        while !self.plain.is_empty() {
            let length = self.plain.len().min(RECORD);
            let sealed = self.session.seal(&self.plain.filled()[..length], &mut self.sealed);
            sealed.map_err(|error| self.fail(error))?;
            self.plain.consume(length);
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.writable && !self.sealed.is_empty() {
            match rustix::io::write(&self.socket, self.sealed.filled()) {
                Ok(count) => {
                    self.writable = count == self.sealed.len();
                    self.sealed.consume(count);
                }
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn poll_read(&mut self, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        while into.remaining() > 0 {
            let count = self.opened.len().min(into.remaining());
            if count > 0 {
                into.put_slice(&self.opened.filled()[..count]);
                self.opened.consume(count);
            } else if self.ended {
                break;
            } else if self.advance(into)?.is_pending() {
                let any = into.filled().len() > before;
                return if any { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.sealed.len() >= MOST_WAITING {
            self.write_out()?;
            if self.sealed.len() >= MOST_WAITING {
                return Poll::Pending;
            }
        }
        if self.plain.is_empty() && bytes.len() >= RECORD {
            // A full record needs no gathering.
            let sealed = self.session.seal(&bytes[..RECORD], &mut self.sealed);
            return Poll::Ready(sealed.map(|()| RECORD).map_err(|error| self.fail(error)));
        }
        let count = bytes.len().min(RECORD - self.plain.len());
        self.plain.extend(&bytes[..count]);
        if self.plain.len() == RECORD {
            self.seal()?;
        }
        Poll::Ready(Ok(count))
    }
}

/// The handle that HTTP/2 reads and writes by. It keeps no waker: every event of the socket leads to a poll anyway.
#[derive(Debug, Clone)]
pub struct ChannelIo(pub Rc<RefCell<Channel>>);

impl AsyncRead for ChannelIo {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(into)
    }
}

impl AsyncWrite for ChannelIo {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(bytes)
    }

    /// Left to the end of the turn ([`Channel::send`]).
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().close();
        Poll::Ready(Ok(()))
    }
}
