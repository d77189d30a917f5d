//! One connection: reads while its peer reads. What waits to be written is bounded by [`HIGH_WATER`] plus one read.

use crate::hindrance::Hindrance;
use crate::http::{Ending, Fed, Http};
use crate::raw::Raw;
use crate::stats::Stats;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::time::Instant;

/// With so many bytes waiting for the peer, nothing more is read from it.
const HIGH_WATER: usize = 256 << 10;

/// Reads and writes of one connection before the others get their turn.
const TURNS: usize = 16;

/// What this connection speaks.
#[derive(Debug)]
pub enum Protocol {
    /// HTTP/1.1
    Http(Http),
    /// The raw TCP protocol.
    Raw(Raw),
}

/// Why a connection was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Until the next event.
    Waits,
    /// It could go on; others come first.
    Again,
    /// It must wait for this moment.
    Held(Instant),
    /// It has ended.
    Done,
}

/// A connection and what is known of its readiness; events are edges, so readiness is remembered here.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    protocol: Protocol,
    out: Vec<u8>,
    written: usize,
    held_until: Option<Instant>,
    ending: Ending,
    /// Our side has been shut down while the rest of the input is thrown away.
    shut: bool,
    /// There may be bytes to read.
    pub readable: bool,
    /// The socket may take bytes.
    pub writable: bool,
    /// The peer has ended its side: read up to the end, whatever a short read suggests.
    pub hung_up: bool,
}

impl Connection {
    /// A connection just accepted.
    #[must_use]
    pub fn new(socket: OwnedFd, protocol: Protocol) -> Self {
        Self {
            socket,
            protocol,
            out: Vec::new(),
            written: 0,
            held_until: None,
            ending: Ending::None,
            shut: false,
            readable: false,
            writable: true,
            hung_up: false,
        }
    }

    /// Reads, answers and writes as far as it goes.
    pub fn drive(&mut self, scratch: &mut [u8], stats: &mut Stats, hindrance: &Hindrance) -> Verdict {
        for _ in 0..TURNS {
            if let Some(until) = self.held_until {
                if Instant::now() < until {
                    return Verdict::Held(until);
                }
                self.held_until = None;
            }
            if self.flush(stats).is_err() {
                return Verdict::Done;
            }
            let pending = self.out.len() - self.written;
            if pending == 0 && self.ends() {
                return Verdict::Done;
            }
            if !self.readable || pending > HIGH_WATER {
                let sends = self.writable && matches!(self.protocol, Protocol::Raw(Raw::Download(_)));
                if sends {
                    continue;
                }
                return Verdict::Waits;
            }
            if self.fill(scratch, stats, hindrance).is_err() {
                return Verdict::Done;
            }
        }
        Verdict::Again
    }

    /// Everything is written: whether the connection is over.
    fn ends(&mut self) -> bool {
        if self.ending == Ending::Drain && !self.shut {
            self.shut = true;
            return shutdown(&self.socket, Shutdown::Write).is_err();
        }
        self.ending == Ending::Clean
    }

    /// One read, and what follows from it.
    fn fill(&mut self, scratch: &mut [u8], stats: &mut Stats, hindrance: &Hindrance) -> Result<(), Errno> {
        let length = match recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN) => {
                self.readable = false;
                return Ok(());
            }
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error),
        };
        if length == 0 {
            self.readable = false;
            self.end();
            return Ok(());
        }
        // A short read has emptied the socket; what comes later is a new edge.
        self.readable = length == scratch.len() || self.hung_up;
        stats.bytes_received += length as u64;
        if self.ending != Ending::None {
            return Ok(());
        }
        let before = self.out.len();
        let fed = self.feed(&scratch[..length]);
        stats.requests += fed.requests;
        if self.out.len() > before {
            hindrance.burn();
            self.held_until = hindrance.due();
        }
        self.ending = fed.ending;
        Ok(())
    }

    fn feed(&mut self, bytes: &[u8]) -> Fed {
        match &mut self.protocol {
            Protocol::Http(http) => http.feed(bytes, &mut self.out),
            Protocol::Raw(raw) => raw.feed(bytes, &mut self.out),
        }
    }

    /// The peer sends no more: what is still owed goes out, then the connection ends.
    fn end(&mut self) {
        if let Protocol::Raw(raw) = &mut self.protocol {
            raw.end(&mut self.out);
            if matches!(raw, Raw::Download(_)) {
                self.protocol = Protocol::Raw(Raw::Echo);
            }
        }
        self.ending = Ending::Clean;
    }

    /// Writes what waits, as far as the socket takes it.
    fn flush(&mut self, stats: &mut Stats) -> Result<(), Errno> {
        if let Protocol::Raw(Raw::Download(position)) = &mut self.protocol {
            if self.writable {
                let sent = write(&self.socket, wire::pattern::from(*position), &mut self.writable)?;
                *position += sent as u64;
                stats.bytes_sent += sent as u64;
            }
            return Ok(());
        }
        while self.writable && self.written < self.out.len() {
            let sent = write(&self.socket, &self.out[self.written..], &mut self.writable)?;
            self.written += sent;
            stats.bytes_sent += sent as u64;
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        } else if self.written > HIGH_WATER {
            self.out.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }
}

/// One write; 0 and `writable` false when the socket is full.
fn write(socket: &OwnedFd, bytes: &[u8], writable: &mut bool) -> Result<usize, Errno> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN) => {
            *writable = false;
            Ok(0)
        }
        Err(Errno::INTR) => Ok(0),
        Err(error) => Err(error),
    }
}
