//! Edge-triggered readiness for the single-threaded native tools: one epoll that several parts of a process share,
//! each recognising its own events by the token's owner.

#![forbid(unsafe_code)]

use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// Whose event it is, and which of its descriptors: 8 bits of owner, 24 of generation, 32 of index.
///
/// The generation lets an owner recognise an event of a descriptor that it has closed since: epoll hands out events
/// in batches, and an earlier event of a batch may close what a later one is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u64);

impl Token {
    /// A token; of `generation` the lower 24 bits are kept.
    #[must_use]
    pub fn new(owner: u8, generation: u32, index: u32) -> Self {
        Self(u64::from(owner) << 56 | u64::from(generation & 0x00ff_ffff) << 32 | u64::from(index))
    }

    /// The part of the process that registered the descriptor.
    #[must_use]
    pub fn owner(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// The generation given, lower 24 bits.
    #[must_use]
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32 & 0x00ff_ffff
    }

    /// The index given.
    #[must_use]
    pub fn index(self) -> u32 {
        self.0 as u32
    }
}

/// What has happened to a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// As registered.
    pub token: Token,
    /// Reading gets further: data, end of stream or an error.
    pub readable: bool,
    /// Writing gets further, or fails with the error.
    pub writable: bool,
    /// The other side has closed its sending half (`EPOLLRDHUP`).
    pub peer_finished: bool,
    /// Both halves are closed, or the descriptor is in error (`EPOLLHUP`, `EPOLLERR`).
    pub broken: bool,
}

/// An epoll instance and the buffer of its events.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

/// Events of one wait; made once and reused.
pub struct Events(Vec<epoll::Event>);

impl Events {
    /// Room for so many events of one wait.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// The events of the last wait.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().map(|event| {
            let flags = event.flags;
            let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            Event {
                token: Token(event.data.u64()),
                readable: broken || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
                writable: broken || flags.contains(epoll::EventFlags::OUT),
                peer_finished: flags.contains(epoll::EventFlags::RDHUP),
                broken,
            }
        })
    }
}

impl Poller {
    /// An empty poller.
    ///
    /// # Errors
    /// When the kernel gives no epoll instance.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches both directions of a descriptor, edge-triggered: after an event, read and write until `WouldBlock`.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add(&self, descriptor: impl AsFd, token: Token) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
        Ok(epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(token.0), flags)?)
    }

    /// Watches for input only, level-triggered: for listeners, event counters and control sockets.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add_level(&self, descriptor: impl AsFd, token: Token) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(token.0), epoll::EventFlags::IN)?)
    }

    /// Stops watching; closing the last copy of a descriptor does so too.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, descriptor)?)
    }

    /// Waits for events, at most `timeout` (to the nanosecond: epoll_pwait2), for ever without one. Interruption by a
    /// signal is an empty answer.
    ///
    /// # Errors
    /// As epoll_pwait2(2).
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|span| Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        });
        events.0.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events.0), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_token_gives_back_what_it_was_made_of() {
        let token = Token::new(7, 0x0112_3456, u32::MAX);
        assert_eq!((token.owner(), token.generation(), token.index()), (7, 0x12_3456, u32::MAX));
    }

    #[test]
    fn an_edge_is_told_once_and_the_end_of_the_peer_is_seen() {
        let poller = Poller::new().unwrap();
        let mut events = Events::with_capacity(8);
        let (near, mut far) = UnixStream::pair().unwrap();
        let token = Token::new(1, 2, 3);
        poller.add(&near, token).unwrap();
        far.write_all(b"x").unwrap();
        poller.wait(&mut events, None).unwrap();
        let event = events.iter().next().unwrap();
        assert!(event.token == token && event.readable && event.writable && !event.broken);
        poller.wait(&mut events, Some(Duration::from_millis(1))).unwrap();
        assert_eq!(events.iter().count(), 0);
        drop(far);
        poller.wait(&mut events, None).unwrap();
        assert!(events.iter().next().unwrap().broken);
    }
}
