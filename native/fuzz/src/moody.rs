//! A far side that does anything an uplink may do, and insists that the device keeps to the contract of
//! `vsock_tsi::uplink`.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddrV4;
use vsock_tsi::pages::{GuestBuffers, GuestBytes};
use vsock_tsi::uplink::{Opening, Readiness, Refused, StreamId, Uplink};

/// How far a stream has come, as this side knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The guest has called, and was told to wait.
    Pending,
    /// The guest is called.
    Ringing,
    /// Bytes may flow.
    Open,
    /// The guest sends no more.
    Finished,
}

/// The far side. Its moods are used up one by one, in a circle.
#[derive(Debug, Default)]
pub struct Moody {
    moods: VecDeque<u8>,
    live: HashMap<StreamId, Stage>,
    order: Vec<StreamId>,
}

impl Moody {
    /// A far side with these moods; without any it is friendly.
    #[must_use]
    pub fn new(moods: &[u8]) -> Self {
        Self { moods: moods.iter().copied().collect(), ..Self::default() }
    }

    fn mood(&mut self) -> u8 {
        self.moods.rotate_left(usize::from(!self.moods.is_empty()));
        self.moods.back().copied().unwrap_or(0)
    }

    /// Streams that have not ended.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// A stream opened into the guest.
    pub fn ring(&mut self, stream: StreamId) {
        self.begin(stream, Stage::Ringing);
    }

    /// What one of the streams may have to say now.
    pub fn news(&mut self, which: u8, what: u8) -> Option<(StreamId, Readiness)> {
        if self.order.is_empty() {
            return None;
        }
        let stream = self.order[usize::from(which) % self.order.len()];
        let stage = self.live[&stream];
        let readiness = match (stage, what % 3) {
            (Stage::Pending, 0) => Readiness::Opened,
            (Stage::Pending, 1) => Readiness::Refused,
            (_, 2) => Readiness::Broken,
            (_, 0) => Readiness::Readable,
            (_, _) => Readiness::Writable,
        };
        match readiness {
            Readiness::Opened => drop(self.live.insert(stream, Stage::Open)),
            Readiness::Refused => self.end(stream),
            _ => {}
        }
        Some((stream, readiness))
    }

    fn begin(&mut self, stream: StreamId, stage: Stage) {
        assert_eq!(self.live.insert(stream, stage), None, "{stream:?} is used twice");
        self.order.push(stream);
    }

    fn end(&mut self, stream: StreamId) {
        assert!(self.live.remove(&stream).is_some(), "{stream:?} has ended before");
        self.order.retain(|other| *other != stream);
    }

    fn flowing(&self, stream: StreamId) -> Stage {
        let stage = self.live.get(&stream).copied();
        assert!(
            matches!(stage, Some(Stage::Open | Stage::Finished)),
            "{stream:?} is {stage:?}, and is read or written"
        );
        stage.expect("just seen")
    }
}

impl Uplink for Moody {
    fn open(&mut self, stream: StreamId, _: SocketAddrV4, to: SocketAddrV4) -> Result<Opening, Refused> {
        assert!(!to.ip().is_loopback() && !to.ip().is_unspecified() && to.port() != 0, "a call to {to}");
        match self.mood() % 4 {
            0 | 1 => self.begin(stream, Stage::Open),
            2 => {
                self.begin(stream, Stage::Pending);
                return Ok(Opening::Pending);
            }
            _ => return Err(Refused),
        }
        Ok(Opening::Done)
    }

    fn answered(&mut self, stream: StreamId, accepted: bool) {
        assert_eq!(self.live.get(&stream), Some(&Stage::Ringing), "{stream:?} was not called");
        if accepted {
            self.live.insert(stream, Stage::Open);
        } else {
            self.end(stream);
        }
    }

    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize> {
        assert_eq!(self.flowing(stream), Stage::Open, "{stream:?} is written after its end");
        assert!(!from_guest.is_empty(), "nothing is written to {stream:?}");
        match self.mood() {
            mood @ 0..=99 => {
                let mut bytes = vec![0; from_guest.len().min(usize::from(mood) * 100 + 1)];
                assert_eq!(from_guest.copy_to(0, &mut bytes), bytes.len());
                Ok(bytes.len())
            }
            100..=180 => Ok(from_guest.len()),
            181..=240 => Ok(0),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize> {
        self.flowing(stream);
        match self.mood() {
            mood @ 0..=99 => Ok(into_guest.fill(&vec![mood; usize::from(mood) * 50 + 1])),
            100..=219 => Err(io::ErrorKind::WouldBlock.into()),
            220..=245 => Ok(0),
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    fn finish(&mut self, stream: StreamId) {
        assert_eq!(self.flowing(stream), Stage::Open, "{stream:?} finishes twice");
        self.live.insert(stream, Stage::Finished);
    }

    fn close(&mut self, stream: StreamId, _: bool) {
        assert_ne!(self.live.get(&stream), Some(&Stage::Ringing), "{stream:?} is answered, not closed");
        self.end(stream);
    }
}
