//! Streams: payload as fast as it goes, one way. Upwards, the server's acknowledgements are counted, so that bytes in
//! buffers do not pass for arrived ones.

use crate::LoadError;
use crate::clock;
use crate::connection::Traffic;
use crate::fleet::events;
use crate::options::{Options, Test};
use crate::report::{Event, Outcome};
use crate::socket::{self, Poll};
use crate::tally::{Kind, Span, Tally};
use crate::window::{Edge, Phase, Stopwatch};
use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use wire::pattern;
use wire::preamble::Operation;

/// Bytes per read.
const READ: usize = 256 << 10;

/// Reads and writes of one stream before the others get their turn.
const TURNS: usize = 8;

/// Longest wait for the connections, in ns.
const OPENING_NS: u64 = 5 * clock::SECOND;

/// One stream.
struct Stream {
    socket: Option<OwnedFd>,
    open: bool,
    readable: bool,
    writable: bool,
    /// Payload bytes written (up) or read (down).
    position: u64,
    /// Payload bytes that have arrived at the far end.
    arrived: u64,
    /// An acknowledgement of which only a part has come.
    ack: [u8; 8],
    ack_length: usize,
}

/// Runs streams for one firing.
///
/// # Errors
/// When nothing could be measured.
pub fn fire(
    options: &Options,
    warmup: u64,
    length: u64,
    emit: &mut dyn FnMut(Event),
    interrupt: &AtomicBool,
) -> Result<Outcome, LoadError> {
    let mut streams = Streams::open(options)?;
    emit(Event::Ready);
    let start = clock::now();
    let window = Span { start: start + warmup, end: start + length };
    let mut tally = Tally::new(Span { start, end: window.end }, window);
    let mut on_edge = |edge| {
        emit(match edge {
            Edge::Measuring => Event::Measuring,
            Edge::Measured => Event::Measured,
        });
    };
    let mut watch = Stopwatch::new(window, &mut on_edge, interrupt);
    let mut arrived_before = 0;
    while watch.phase != Phase::Over {
        if watch.tick(clock::now()) && watch.phase == Phase::Window {
            arrived_before = streams.arrived();
        }
        if watch.interrupted() || streams.gone() {
            watch.cut(clock::now());
        } else if watch.phase != Phase::Over {
            streams.turn(watch.next_edge(), &mut tally)?;
        }
    }
    tally.stream_bytes = streams.arrived() - arrived_before;
    Ok(Outcome::new(tally, &watch, streams.traffic))
}

struct Streams {
    poll: Poll,
    up: bool,
    list: Vec<Stream>,
    scratch: Box<[u8]>,
    events: socket::Events,
    traffic: Traffic,
}

impl Streams {
    fn open(options: &Options) -> Result<Self, LoadError> {
        let (target, up) = (options.address(), options.test == Test::StreamUp);
        let refusal = |kind: Kind| LoadError::Connect { target, kind: kind.as_connect() };
        let poll = Poll::new()?;
        let mut list = Vec::new();
        for slot in 0..options.connections as usize {
            let socket = Some(poll.connect(target, slot).map_err(refusal)?);
            let (ack, ack_length) = ([0; 8], 0);
            let (open, readable, writable) = (false, false, false);
            list.push(Stream { socket, open, readable, writable, position: 0, arrived: 0, ack, ack_length });
        }
        let scratch = vec![0; READ].into_boxed_slice();
        let mut streams = Self { poll, up, list, scratch, events: events(), traffic: Traffic::default() };
        let deadline = clock::now() + OPENING_NS;
        while streams.list.iter().any(|stream| !stream.open) {
            let left = deadline.saturating_sub(clock::now());
            if left == 0 {
                return Err(refusal(Kind::ConnectTimeout));
            }
            streams.take_events(left)?;
            for stream in streams.list.iter_mut().filter(|stream| !stream.open && stream.writable) {
                let operation = if up { Operation::Upload } else { Operation::Download };
                stream.greet(operation, &mut streams.traffic).map_err(refusal)?;
            }
        }
        Ok(streams)
    }

    fn take_events(&mut self, timeout: u64) -> Result<(), LoadError> {
        self.poll.wait(&mut self.events, timeout)?;
        for event in &self.events {
            let stream = &mut self.list[event.data.u64() as usize];
            let flags = event.flags;
            let ended = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
            stream.readable |= flags.intersects(EventFlags::IN | ended);
            stream.writable |= flags.intersects(EventFlags::OUT | ended);
        }
        Ok(())
    }

    /// Waits for readiness until `until` (monotonic ns), and moves bytes.
    fn turn(&mut self, until: u64, tally: &mut Tally) -> Result<(), LoadError> {
        let up = self.up;
        let ready = |stream: &Stream| stream.socket.is_some() && (stream.readable || (up && stream.writable));
        let timeout = if self.list.iter().any(ready) { 0 } else { until.saturating_sub(clock::now()) };
        self.take_events(timeout)?;
        for stream in &mut self.list {
            if let Err(kind) = stream.pump(up, &mut self.scratch, &mut self.traffic) {
                stream.socket = None;
                tally.failed(kind, clock::now());
            }
        }
        Ok(())
    }

    fn arrived(&self) -> u64 {
        self.list.iter().map(|stream| stream.arrived).sum()
    }

    fn gone(&self) -> bool {
        self.list.iter().all(|stream| stream.socket.is_none())
    }
}

impl Stream {
    fn greet(&mut self, operation: Operation, traffic: &mut Traffic) -> Result<(), Kind> {
        let Some(socket) = &self.socket else { return Err(Kind::Closed) };
        socket::connected(socket)?;
        // A new socket's buffer takes eight bytes at once.
        let sent = socket::write(socket, &operation.encode())?;
        traffic.bytes_sent += sent.unwrap_or(0) as u64;
        traffic.connections += 1;
        self.open = true;
        Ok(())
    }

    fn pump(&mut self, up: bool, scratch: &mut [u8], traffic: &mut Traffic) -> Result<(), Kind> {
        let Some(socket) = &self.socket else { return Ok(()) };
        for _ in 0..TURNS {
            if !self.readable {
                break;
            }
            let Some(length) = socket::read(socket, scratch)? else {
                self.readable = false;
                break;
            };
            traffic.bytes_received += length as u64;
            let bytes = &scratch[..length];
            if up {
                (self.arrived, self.ack_length) = last_total(bytes, &mut self.ack, self.ack_length, self.arrived);
            } else {
                // The beginning of each read: enough to see a wrong order, cheap enough not to be what is measured.
                if !pattern::matches(&bytes[..length.min(64)], self.position) {
                    return Err(Kind::WrongBytes);
                }
                self.position += length as u64;
                self.arrived = self.position;
            }
        }
        for _ in 0..TURNS {
            if !up || !self.writable {
                break;
            }
            match socket::write(socket, pattern::from(self.position))? {
                Some(length) => {
                    self.position += length as u64;
                    traffic.bytes_sent += length as u64;
                }
                None => self.writable = false,
            }
        }
        Ok(())
    }
}

/// The last running total in `bytes`, which may begin or end within one.
fn last_total(bytes: &[u8], partial: &mut [u8; 8], mut length: usize, mut total: u64) -> (u64, usize) {
    for &byte in bytes {
        partial[length] = byte;
        length += 1;
        if length == partial.len() {
            total = u64::from_be_bytes(*partial);
            length = 0;
        }
    }
    (total, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_may_be_cut_anywhere() {
        let bytes = [65_536_u64.to_be_bytes(), 131_072_u64.to_be_bytes()].concat();
        for cut in 0..=16 {
            let mut partial = [0; 8];
            let (total, length) = last_total(&bytes[..cut], &mut partial, 0, 0);
            assert_eq!(last_total(&bytes[cut..], &mut partial, length, total), (131_072, 0), "cut at {cut}");
        }
    }
}
