//! All connections of a firing: opens them, hands events to them, reopens the lost, and knows when the server is gone.

use crate::LoadError;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::connection::{Connection, Shape, Stage, Step, Traffic};
use crate::socket::{Events, Poll};
use crate::tally::{Kind, Times};
use rustix::event::epoll;

/// Longest wait for the first connections, in ns.
const OPENING_NS: u64 = 5 * SECOND;

/// A lost connection is opened again after so long, in ns: soon, but never in a busy loop.
pub const RETRY_NS: u64 = MILLISECOND;

/// Without any connection for so long, and connects refused, the server is gone, in ns.
const GONE_NS: u64 = SECOND / 2;

/// Bytes per read.
const READ: usize = 128 << 10;

/// Connections and what they share.
pub struct Fleet {
    poll: Poll,
    shape: Shape,
    connections: Vec<Connection>,
    scratch: Box<[u8]>,
    /// Places to reopen: when, in monotonic ns, and which.
    retries: Vec<(u64, usize)>,
    alive_at: u64,
    refused: Option<Kind>,
    /// Counts of the whole firing.
    pub traffic: Traffic,
}

impl Fleet {
    /// Opens `count` connections; with a fresh one per request there is nothing to open yet.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn open(shape: Shape, count: usize) -> Result<Self, LoadError> {
        let connections = (0..count).map(|_| Connection::new(&shape)).collect();
        let mut fleet = Self {
            poll: Poll::new()?,
            shape,
            connections,
            scratch: vec![0; READ].into_boxed_slice(),
            retries: Vec::with_capacity(count),
            alive_at: clock::now(),
            refused: None,
            traffic: Traffic::default(),
        };
        if !fleet.shape.fresh {
            fleet.open_all()?;
        }
        Ok(fleet)
    }

    fn open_all(&mut self) -> Result<(), LoadError> {
        let target = self.shape.address;
        let refusal = |kind: Kind| LoadError::Connect { target, kind: kind.as_connect() };
        for slot in 0..self.connections.len() {
            if let Step::Lost(kind) = self.connections[slot].open(&self.poll, &self.shape, slot) {
                return Err(refusal(kind));
            }
        }
        let (deadline, mut opened, mut events) = (clock::now() + OPENING_NS, 0, events());
        while opened < self.connections.len() {
            let now = clock::now();
            if now >= deadline {
                return Err(refusal(Kind::ConnectTimeout));
            }
            self.poll.wait(&mut events, deadline - now)?;
            for event in &events {
                match self.handle(event).1 {
                    Step::Opened => opened += 1,
                    Step::Lost(kind) => return Err(refusal(kind)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Number of places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is no place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Whether every request has its own connection.
    #[must_use]
    pub fn fresh(&self) -> bool {
        self.shape.fresh
    }

    /// The connection of a place.
    #[must_use]
    pub fn connection(&self, slot: usize) -> &Connection {
        &self.connections[slot]
    }

    /// Waits for events until `until` (monotonic ns), or until a lost connection is due.
    ///
    /// # Errors
    /// When the kernel refuses what it never should.
    pub fn wait(&mut self, events: &mut Events, until: u64) -> Result<(), LoadError> {
        let until = self.retries.iter().map(|&(at, _)| at).min().map_or(until, |at| at.min(until));
        let now = clock::now();
        self.poll.wait(events, until.saturating_sub(now))
    }

    /// Takes whatever has happened already.
    ///
    /// # Errors
    /// When the kernel refuses what it never should.
    pub fn look(&mut self, events: &mut Events) -> Result<(), LoadError> {
        self.poll.wait(events, 0)
    }

    /// Follows one event; returns the place and what came of it.
    pub fn handle(&mut self, event: &epoll::Event) -> (usize, Step) {
        let slot = event.data.u64() as usize;
        let flags = event.flags;
        let step = self.connections[slot].handle(flags, &self.shape, &mut self.scratch, &mut self.traffic);
        self.note(slot, step);
        (slot, step)
    }

    /// Sends a request: on the idle connection of a place, or on one opened for it.
    pub fn send(&mut self, slot: usize, times: Times) -> Step {
        let connection = &mut self.connections[slot];
        let step = if self.shape.fresh {
            connection.times = times;
            connection.open(&self.poll, &self.shape, slot)
        } else {
            connection.send(&self.shape, times, &mut self.traffic)
        };
        self.note(slot, step);
        step
    }

    fn note(&mut self, slot: usize, step: Step) {
        match step {
            Step::Opened => self.alive_at = self.connections[slot].idle_since,
            Step::Answered { at, ended } => {
                self.alive_at = at;
                if ended && !self.shape.fresh {
                    self.retries.push((at, slot));
                }
            }
            Step::Failed(kind) | Step::Lost(kind) => {
                if kind.as_connect() != "lost" {
                    self.refused = Some(kind);
                }
                if self.connections[slot].stage == Stage::Gone {
                    self.retries.push((clock::now() + RETRY_NS, slot));
                }
            }
            Step::Nothing | Step::Ended => {}
        }
        if matches!(step, Step::Opened | Step::Answered { .. }) {
            self.refused = None;
        }
    }

    /// A place whose pause after a failure is over; kept connections are being reopened when it is returned.
    pub fn retry(&mut self, now: u64) -> Option<(usize, Step)> {
        let due = self.retries.iter().position(|&(at, _)| at <= now)?;
        let (_, slot) = self.retries.swap_remove(due);
        if self.shape.fresh {
            return Some((slot, Step::Opened));
        }
        let step = self.connections[slot].open(&self.poll, &self.shape, slot);
        self.note(slot, step);
        Some((slot, step))
    }

    /// Whether the server has gone: no connection stands, and new ones are refused.
    #[must_use]
    pub fn lost(&self, now: u64) -> Option<LoadError> {
        let kind = self.refused?;
        let stands = |c: &Connection| !matches!(c.stage, Stage::Gone | Stage::Connecting);
        let gone = now.saturating_sub(self.alive_at) > GONE_NS && !self.connections.iter().any(stands);
        gone.then(|| LoadError::Connect { target: self.shape.address, kind: kind.as_connect() })
    }
}

/// Room for the events of one wait.
#[must_use]
pub fn events() -> Events {
    Vec::with_capacity(512)
}
