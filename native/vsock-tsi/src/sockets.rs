//! An uplink of Unix sockets: one connection for each stream, no copy between guest memory and socket.

#![forbid(unsafe_code)]

use crate::doors::{Call, Door, Woken};
use crate::pages::{GuestBuffers, GuestBytes};
use crate::proxy_protocol;
use crate::uplink::{Opening, Readiness, Refused, StreamId, Uplink};
use poller::{Event, Poller, Token};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType};
use slab::Slab;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Tokens of doors: above all places of sockets.
const FIRST_DOOR: u32 = 0xff00;
/// Sockets of a guest, those that have not yet said whom they call among them.
const SOCKETS: usize = 0x8000;
/// How long a call waits for room in the node proxy's backlog, and how often it is tried again.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries.
pub const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
enum Phase {
    /// Has come by a door, and has not said whom it calls.
    Greeting(Door),
    /// The node proxy had no room for this call.
    Backlog { header: [u8; proxy_protocol::LENGTH], until: Instant },
    /// The guest has not answered it; the words to begin with if it does.
    Ringing(Vec<u8>),
    /// Bytes flow.
    Open,
}

#[derive(Debug)]
struct Slot {
    socket: OwnedFd,
    generation: u32,
    stream: Option<StreamId>,
    phase: Phase,
    readable: bool,
    finished: bool,
}

/// The sockets of one guest on one side: the node proxy's, or the harness's.
#[derive(Debug)]
pub struct Sockets {
    poller: Rc<Poller>,
    owner: u8,
    guest: u16,
    outbound: Option<SocketAddrUnix>,
    doors: Vec<(OwnedFd, Door)>,
    slots: Slab<Slot>,
    of_stream: HashMap<StreamId, u32>,
    backlog: Vec<u32>,
    generation: u32,
}

impl Sockets {
    /// No sockets yet. Events come with tokens of `owner` whose index has `guest` in its upper half.
    #[must_use]
    pub fn new(poller: Rc<Poller>, (owner, guest): (u8, u16), outbound: Option<SocketAddrUnix>) -> Self {
        let (doors, backlog, of_stream) = Default::default();
        Self { poller, owner, guest, outbound, doors, slots: Slab::new(), of_stream, backlog, generation: 0 }
    }

    /// The guest that a token is about.
    #[must_use]
    pub fn guest_of(token: Token) -> u16 {
        (token.index() >> 16) as u16
    }

    /// Takes calls into the guest by a listening socket.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn add_door(&mut self, listener: OwnedFd, door: Door) -> io::Result<()> {
        let token = self.token(0, FIRST_DOOR + self.doors.len() as u32);
        self.poller.add_level(&listener, token)?;
        self.doors.push((listener, door));
        Ok(())
    }

    /// Deals with an event of one of these sockets.
    pub fn handle(&mut self, event: Event) -> Woken {
        let mut woken = Woken::default();
        let place = event.token.index() & 0xffff;
        if place >= FIRST_DOOR {
            self.accept((place - FIRST_DOOR) as usize, &mut woken);
            return woken;
        }
        let slot = self.slots.get_mut(place as usize);
        let Some(slot) = slot.filter(|slot| slot.generation & 0x00ff_ffff == event.token.generation()) else {
            return woken;
        };
        slot.readable |= event.readable;
        slot.finished |= event.peer_finished || event.broken;
        match (&slot.phase, slot.stream) {
            (Phase::Greeting(_), _) => self.greet(place, &mut woken),
            (Phase::Open, Some(stream)) => {
                let news = [
                    (event.readable, Readiness::Readable),
                    (event.writable, Readiness::Writable),
                    (event.broken, Readiness::Broken),
                ];
                woken.ready.extend(news.iter().filter(|(is, _)| *is).map(|(_, readiness)| (stream, *readiness)));
            }
            // A caller that has gone before the answer; one that has half closed has not.
            (Phase::Ringing(_), Some(stream)) if event.broken => woken.ready.push((stream, Readiness::Broken)),
            _ => {}
        }
        woken
    }

    /// A socket's call has been put through to the guest, which has not yet answered.
    pub fn bind(&mut self, call: &Call, stream: StreamId) {
        if let Some(slot) = self.slots.get_mut(call.socket as usize) {
            (slot.stream, slot.phase) = (Some(stream), Phase::Ringing(call.greeting.first_words()));
            self.of_stream.insert(stream, call.socket);
        }
    }

    /// A socket's call has not been put through.
    pub fn hang_up(&mut self, call: &Call) {
        self.slots.try_remove(call.socket as usize);
    }

    /// When calls that found no room should be tried again.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Tries calls again that found no room at the node proxy.
    pub fn try_backlog(&mut self) -> Woken {
        let mut woken = Woken::default();
        for place in std::mem::take(&mut self.backlog) {
            let Some(slot) = self.slots.get_mut(place as usize) else { continue };
            let (Phase::Backlog { header, until }, Some(stream)) = (&slot.phase, slot.stream) else { continue };
            let (header, patient) = (*header, Instant::now() < *until);
            match self.connect(place, &header) {
                Ok(()) => woken.ready.push((stream, Readiness::Opened)),
                Err(Errno::AGAIN) if patient => self.backlog.push(place),
                Err(_) => {
                    self.forget(stream);
                    woken.ready.push((stream, Readiness::Refused));
                }
            }
        }
        woken
    }

    fn accept(&mut self, door: usize, woken: &mut Woken) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Some((listener, kind)) = self.doors.get(door) {
            let kind = *kind;
            let Ok(socket) = net::accept_with(listener, flags) else { return };
            if let Some(place) = self.add(socket, Phase::Greeting(kind)) {
                // What it has to say has mostly come with it.
                self.greet(place, woken);
            }
        }
    }

    fn greet(&mut self, place: u32, woken: &mut Woken) {
        let Some(Slot { socket, phase: Phase::Greeting(door), .. }) = self.slots.get(place as usize) else { return };
        match door.greeting(socket) {
            Ok(Some(greeting)) => woken.calls.push(Call { socket: place, greeting }),
            Ok(None) => {}
            Err(_) => drop(self.slots.try_remove(place as usize)),
        }
    }

    fn add(&mut self, socket: OwnedFd, phase: Phase) -> Option<u32> {
        if self.slots.len() >= SOCKETS {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        let entry = self.slots.vacant_entry();
        let place = entry.key() as u32;
        let token = Token::new(self.owner, self.generation, u32::from(self.guest) << 16 | place);
        self.poller.add(&socket, token).ok()?;
        let (generation, stream) = (self.generation, None);
        entry.insert(Slot { socket, generation, stream, phase, readable: false, finished: false });
        Some(place)
    }

    fn connect(&mut self, place: u32, header: &[u8]) -> Result<(), Errno> {
        let (Some(slot), Some(address)) = (self.slots.get_mut(place as usize), &self.outbound) else {
            return Err(Errno::CONNREFUSED);
        };
        net::connect(&slot.socket, address)?;
        // A socket just connected has room for it.
        if net::send(&slot.socket, header, SendFlags::NOSIGNAL)? != header.len() {
            return Err(Errno::PIPE);
        }
        slot.phase = Phase::Open;
        Ok(())
    }

    fn of(&mut self, stream: StreamId) -> io::Result<&mut Slot> {
        let place = self.of_stream.get(&stream).copied();
        place.and_then(|place| self.slots.get_mut(place as usize)).ok_or(io::ErrorKind::NotConnected.into())
    }

    fn forget(&mut self, stream: StreamId) {
        if let Some(place) = self.of_stream.remove(&stream) {
            self.slots.try_remove(place as usize);
        }
    }

    fn token(&self, generation: u32, place: u32) -> Token {
        Token::new(self.owner, generation, u32::from(self.guest) << 16 | place)
    }
}

impl Uplink for Sockets {
    fn open(&mut self, stream: StreamId, from: SocketAddrV4, to: SocketAddrV4) -> Result<Opening, Refused> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(|_| Refused)?;
        let header = proxy_protocol::header(from, to);
        let until = Instant::now() + BACKLOG_PATIENCE;
        let place = self.add(socket, Phase::Backlog { header, until }).ok_or(Refused)?;
        let result = self.connect(place, &header);
        if !matches!(result, Ok(()) | Err(Errno::AGAIN)) {
            self.slots.try_remove(place as usize);
            return Err(Refused);
        }
        self.slots[place as usize].stream = Some(stream);
        self.of_stream.insert(stream, place);
        if result.is_ok() {
            return Ok(Opening::Done);
        }
        self.backlog.push(place);
        Ok(Opening::Pending)
    }

    fn answered(&mut self, stream: StreamId, accepted: bool) {
        let Ok(slot) = self.of(stream) else { return };
        let Phase::Ringing(words) = std::mem::replace(&mut slot.phase, Phase::Open) else { return };
        if !accepted {
            return self.forget(stream);
        }
        if !words.is_empty() {
            // A socket not written to before has room for it; one that is broken will say so when it is read.
            let _broken = net::send(&slot.socket, &words, SendFlags::NOSIGNAL);
        }
    }

    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize> {
        match from_guest.send(&self.of(stream)?.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize> {
        let slot = self.of(stream)?;
        if !slot.readable {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = into_guest.room();
        let result = into_guest.receive(&slot.socket);
        let empty = match &result {
            // Less than there was room for: the socket is empty, and more of it will be an event.
            Ok(count) => *count < room,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        slot.readable = !empty || slot.finished;
        result
    }

    fn finish(&mut self, stream: StreamId) {
        if let Ok(slot) = self.of(stream) {
            let _already_closed = net::shutdown(&slot.socket, Shutdown::Write);
        }
    }

    fn close(&mut self, stream: StreamId, _: bool) {
        self.forget(stream);
    }
}
