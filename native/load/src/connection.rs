//! One place for a connection: opens it, sends requests, reads answers, notices the end.

use crate::answer::{AnswerReader, Progress};
use crate::clock;
use crate::options::{Options, Protocol};
use crate::socket::{self, Poll};
use crate::tally::{Kind, Times};
use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use serde::Serialize;
use std::net::SocketAddr;
use wire::preamble::{self, Operation};

/// What every request of a firing has in common.
#[derive(Debug)]
pub struct Shape {
    /// Where to.
    pub address: SocketAddr,
    /// A new connection for every request.
    pub fresh: bool,
    protocol: Protocol,
    payload: usize,
    /// The request as bytes; over raw TCP the preamble stands before it.
    request: Vec<u8>,
}

impl Shape {
    /// Over raw TCP the client ends a connection of one request, as netperf's `TCP_CRR` does; over HTTP the server does.
    /// (Envoy 1.40's internal listeners, on a waypoint's way, lose the end of an answer when the server closes first.)
    const fn closes_first(&self) -> bool {
        self.fresh && matches!(self.protocol, Protocol::Tcp)
    }

    /// The shape that options ask for.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let (address, fresh, payload) = (options.address(), options.fresh(), options.payload as usize);
        let request = match options.protocol {
            Protocol::Http => wire::http::build_request(&address.to_string(), payload, fresh),
            Protocol::Tcp => {
                let operation = if fresh { Operation::Once(options.payload) } else { Operation::Echo };
                let mut bytes = operation.encode().to_vec();
                wire::pattern::append(&mut bytes, payload);
                bytes
            }
        };
        Self { address, fresh, protocol: options.protocol, payload, request }
    }
}

/// Counts of the whole firing, warm-up included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Connections established.
    pub connections: u64,
    /// Requests that began to be sent.
    pub requests: u64,
    /// Application bytes written.
    pub bytes_sent: u64,
    /// Application bytes read.
    pub bytes_received: u64,
}

/// Stage of a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    Gone,
    /// The handshake is under way; `fresh` ones have a request waiting for it.
    Connecting,
    /// Open, without a request.
    Idle,
    /// A request is under way.
    Busy,
    /// Answered; the server closes it.
    Ending,
}

/// What an event led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Nothing,
    /// The connection is open and idle.
    Opened,
    /// The request was answered well, at this time; `ended`: and the server closed the connection.
    Answered {
        /// Monotonic ns.
        at: u64,
        /// The connection is gone.
        ended: bool,
    },
    /// A connection of one request has ended after its answer.
    Ended,
    /// The request failed. The connection is gone, unless it is idle.
    Failed(Kind),
    /// The connection was lost without a request on it.
    Lost(Kind),
}

/// One place for a connection.
#[derive(Debug)]
pub struct Connection {
    socket: Option<OwnedFd>,
    /// Where it is.
    pub stage: Stage,
    /// Times of the current request.
    pub times: Times,
    /// When it became idle, monotonic ns.
    pub idle_since: u64,
    written: usize,
    greeted: bool,
    reader: AnswerReader,
}

impl Connection {
    /// An empty place.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        Self {
            socket: None,
            stage: Stage::Gone,
            times: Times::default(),
            idle_since: 0,
            written: 0,
            greeted: false,
            reader: AnswerReader::new(shape.protocol, shape.payload),
        }
    }

    /// Begins to connect.
    pub fn open(&mut self, poll: &Poll, shape: &Shape, slot: usize) -> Step {
        self.greeted = false;
        match poll.connect(shape.address, slot) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.stage = Stage::Connecting;
                Step::Nothing
            }
            Err(kind) => self.fail(kind, shape),
        }
    }

    /// Sends a request on an idle connection.
    pub fn send(&mut self, shape: &Shape, times: Times, traffic: &mut Traffic) -> Step {
        self.times = times;
        self.stage = Stage::Busy;
        self.reader.begin();
        // A raw connection is greeted once; the preamble stands before the payload in the same buffer.
        self.written = if shape.protocol == Protocol::Tcp && self.greeted { preamble::LEN } else { 0 };
        self.greeted = true;
        traffic.requests += 1;
        match self.write(shape, traffic) {
            Ok(()) => Step::Nothing,
            Err(kind) => self.fail(kind, shape),
        }
    }

    /// Drops the connection.
    pub fn close(&mut self) {
        self.socket = None;
        self.stage = Stage::Gone;
    }

    /// Follows an event as far as it goes.
    pub fn handle(&mut self, flags: EventFlags, shape: &Shape, scratch: &mut [u8], traffic: &mut Traffic) -> Step {
        let hung_up = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        match self.stage {
            Stage::Gone => Step::Nothing,
            Stage::Connecting => self.connected(flags, shape, traffic),
            Stage::Busy => self.exchange(hung_up, shape, scratch, traffic),
            Stage::Idle => match self.read(scratch, traffic) {
                Ok(None) => Step::Nothing,
                Ok(Some(_)) => self.fail(Kind::Surplus, shape),
                Err(kind) => self.fail(kind, shape),
            },
            Stage::Ending => match self.read(scratch, traffic) {
                Ok(None) => Step::Nothing,
                _ => {
                    self.close();
                    Step::Ended
                }
            },
        }
    }

    fn connected(&mut self, flags: EventFlags, shape: &Shape, traffic: &mut Traffic) -> Step {
        if !flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP) {
            return Step::Nothing;
        }
        if let Some(Err(kind)) = self.socket.as_ref().map(socket::connected) {
            return self.fail(kind, shape);
        }
        traffic.connections += 1;
        if shape.fresh {
            return self.send(shape, self.times, traffic);
        }
        self.stage = Stage::Idle;
        self.idle_since = clock::now();
        Step::Opened
    }

    fn exchange(&mut self, hung_up: bool, shape: &Shape, scratch: &mut [u8], traffic: &mut Traffic) -> Step {
        // Sends the rest of a request that did not fit into the socket at once; else there is nothing to write.
        if let Err(kind) = self.write(shape, traffic) {
            return self.fail(kind, shape);
        }
        loop {
            let length = match self.read(scratch, traffic) {
                Ok(None) => return Step::Nothing,
                Ok(Some(length)) => length,
                Err(kind) => return self.fail(kind, shape),
            };
            match self.reader.feed(&scratch[..length]) {
                Err(kind) => return self.fail(kind, shape),
                // A short read has emptied the socket; what comes later is a new edge.
                Ok(Progress::Partial) if length < scratch.len() && !hung_up => return Step::Nothing,
                Ok(Progress::Partial) => {}
                Ok(Progress::Refused(kind)) => {
                    self.answered(hung_up, shape, scratch, traffic);
                    return Step::Failed(kind);
                }
                Ok(Progress::Whole) => return self.answered(hung_up, shape, scratch, traffic),
            }
        }
    }

    /// The answer is whole: the connection becomes idle, or ends.
    fn answered(&mut self, hung_up: bool, shape: &Shape, scratch: &mut [u8], traffic: &mut Traffic) -> Step {
        let at = clock::now();
        // The edge that told of the end is used up, so the end is looked for now.
        let ended = hung_up && !matches!(self.read(scratch, traffic), Ok(None));
        if ended || shape.closes_first() || self.written < shape.request.len() {
            self.close();
        } else {
            self.stage = if shape.fresh { Stage::Ending } else { Stage::Idle };
            self.idle_since = at;
        }
        Step::Answered { at, ended: self.stage == Stage::Gone }
    }

    fn fail(&mut self, kind: Kind, shape: &Shape) -> Step {
        let busy = self.stage == Stage::Busy || shape.fresh;
        self.close();
        if busy { Step::Failed(kind) } else { Step::Lost(kind) }
    }

    fn write(&mut self, shape: &Shape, traffic: &mut Traffic) -> Result<(), Kind> {
        let Some(socket) = &self.socket else { return Err(Kind::Closed) };
        while self.written < shape.request.len() {
            let Some(length) = socket::write(socket, &shape.request[self.written..])? else { break };
            self.written += length;
            traffic.bytes_sent += length as u64;
        }
        Ok(())
    }

    fn read(&mut self, scratch: &mut [u8], traffic: &mut Traffic) -> Result<Option<usize>, Kind> {
        let Some(socket) = &self.socket else { return Err(Kind::Closed) };
        let length = socket::read(socket, scratch)?;
        traffic.bytes_received += length.unwrap_or(0) as u64;
        Ok(length)
    }
}
