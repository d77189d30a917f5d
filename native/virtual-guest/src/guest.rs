//! A guest, as its applications see it.

#![forbid(unsafe_code)]

use crate::connection::Phase;
use crate::engine::{Engine, Key};
use crate::memory::Memory;
use crate::options::Options;
use crate::packet::{Address, Header};
use crate::ring::{Places, Ring};
use crate::seen::Seen;
use crate::session::{AttachError, RINGS, Session};
use crate::slots::{Shape, Slots};
use crate::stream::Stream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Linux's first automatic port.
const FIRST_PORT: u32 = 1024;
/// Memory that the guest leaves to its user, in bytes: for chains of one's own.
const SPARE_BYTES: usize = 1 << 20;

/// How often a guest without work looks whether what it waits for has come true elsewhere.
const ELSEWHERE: Duration = Duration::from_millis(2);

/// One of the rings that carry packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// The device writes.
    Receive,
    /// The guest writes.
    Send,
}

/// A guest attached to a device. It lives in one thread, and works only inside of calls.
pub struct Guest {
    engine: Rc<RefCell<Engine>>,
    memory: Rc<Memory>,
    spare_at: usize,
    patience: Duration,
    next_port: Cell<u32>,
    _event: Ring,
}

impl Guest {
    /// Attaches a guest with Linux's habits.
    ///
    /// # Errors
    /// When the device does not answer or does not offer what is needed.
    pub fn attach(socket: impl AsRef<Path>) -> Result<Self, AttachError> {
        Self::attach_with(socket, Options::default())
    }

    /// Attaches a guest with habits of its own.
    ///
    /// # Errors
    /// When the device does not answer or does not offer what is needed.
    pub fn attach_with(socket: impl AsRef<Path>, options: Options) -> Result<Self, AttachError> {
        let mut session = Session::open(socket.as_ref(), &options)?;
        let options = Options { event_idx: session.event_idx, indirect: session.indirect, ..options };
        let size = options.ring_size;
        let send_at = Slots::bytes(size, options.receive_bytes);
        let event_at = (send_at + Slots::bytes(size, options.send_bytes)).next_multiple_of(4096);
        let event_places = Places::at(event_at, size);
        let spare_at = event_places.end(size);
        let memory = Rc::new(Memory::new(spare_at + SPARE_BYTES)?);
        let shape = Shape { payload_bytes: options.receive_bytes, writable: true };
        let receive = Slots::new(&memory, 0, &shape, &options)?;
        let shape = Shape { payload_bytes: options.send_bytes, writable: false };
        let send = Slots::new(&memory, send_at.next_multiple_of(4096), &shape, &options)?;
        let event = Ring::new(Rc::clone(&memory), event_places, size, options.event_idx)?;
        session.start(&memory, [&receive.ring, &send.ring, &event])?;
        let cid = session.cid.unwrap_or(options.cid);
        let mut engine = Engine::new(session, cid, receive, send, &options)?;
        if options.receives {
            engine.fill_receive_ring();
        }
        let engine = Rc::new(RefCell::new(engine));
        let next_port = Cell::new(FIRST_PORT);
        Ok(Self { engine, memory, spare_at, patience: options.patience, next_port, _event: event })
    }

    /// The guest's own address.
    #[must_use]
    pub fn cid(&self) -> u64 {
        self.engine.borrow().cid
    }

    /// Calls and waits for the answer.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `NotConnected` (the device has gone).
    pub fn connect(&self, to: impl Into<Address>) -> io::Result<Stream> {
        let stream = self.call(to)?;
        stream.wait_until_open()?;
        Ok(stream)
    }

    /// Calls, and does not wait: see [`Stream::is_open`] and [`Stream::wait_until_open`].
    ///
    /// # Errors
    /// When the rings are broken.
    pub fn call(&self, to: impl Into<Address>) -> io::Result<Stream> {
        let port = self.next_port.get();
        self.next_port.set(port.checked_add(1).unwrap_or(FIRST_PORT));
        self.call_from(port, to)
    }

    /// The same from a port of one's choice.
    ///
    /// # Errors
    /// When that stream exists.
    pub fn call_from(&self, port: u32, to: impl Into<Address>) -> io::Result<Stream> {
        let key = self.engine.borrow_mut().call(port, to.into())?;
        Ok(self.stream(key))
    }

    /// Takes calls to a port from now on.
    pub fn listen(&self, port: u32) {
        self.engine.borrow_mut().listening.entry(port).or_default();
    }

    /// Refuses calls to a port from now on.
    pub fn stop_listening(&self, port: u32) {
        self.engine.borrow_mut().listening.remove(&port);
    }

    /// Waits for a call to a port.
    ///
    /// # Errors
    /// `TimedOut`, `NotConnected`.
    pub fn accept(&self, port: u32) -> io::Result<Stream> {
        let until = Instant::now() + self.patience;
        loop {
            let key = self.engine.borrow_mut().listening.get_mut(&port).and_then(VecDeque::pop_front);
            if let Some(key) = key {
                return Ok(self.stream(key));
            }
            self.turn(until)?;
        }
    }

    /// Lets the guest work for so long, whatever happens.
    ///
    /// # Errors
    /// When the device has gone or broke the rules.
    pub fn run_for(&self, time: Duration) -> io::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.engine.borrow_mut().turn(until)?;
        }
        Ok(())
    }

    /// Lets the guest work until something has come true, by its work or elsewhere.
    ///
    /// # Errors
    /// `TimedOut`, or when the device has gone or broke the rules.
    pub fn run_until(&self, mut done: impl FnMut() -> bool) -> io::Result<()> {
        let until = Instant::now() + self.patience;
        while !done() {
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.engine.borrow_mut().turn(until.min(Instant::now() + ELSEWHERE))?;
        }
        Ok(())
    }

    /// Packets that came from the device so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.engine.borrow().seen
    }

    /// Streams that the guest knows of, those among them that wait for the far side's confirmation of their end.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.engine.borrow().connections.len()
    }

    /// Sends a packet in a proper chain, whatever its header says.
    ///
    /// # Errors
    /// `TimedOut` when the device takes no packets.
    ///
    /// # Panics
    /// When the payload is longer than the guest's packets are.
    pub fn send_packet(&self, header: &Header, payload: &[u8]) -> io::Result<()> {
        let until = Instant::now() + self.patience;
        loop {
            let mut engine = self.engine.borrow_mut();
            if let Some(slot) = engine.send.take() {
                engine.send.write_header(slot, header);
                engine.send.payload(slot, payload.len()).copy_from(payload);
                engine.send.offer(slot, payload.len() as u32);
                engine.publish();
                return Ok(());
            }
            drop(engine);
            self.turn(until)?;
        }
    }

    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where 1 MiB begins that the guest does not use itself, as an offset.
    #[must_use]
    pub fn spare_at(&self) -> usize {
        self.spare_at
    }

    /// Does anything to a ring. The guest goes on to use it: chains of one's own make its packets stumble sooner or later.
    pub fn with_ring<T>(&self, queue: Queue, change: impl FnOnce(&mut Ring) -> T) -> T {
        let mut engine = self.engine.borrow_mut();
        match queue {
            Queue::Receive => change(&mut engine.receive.ring),
            Queue::Send => change(&mut engine.send.ring),
        }
    }

    /// Waits until the device has closed itself on this guest, without looking at what it sends.
    ///
    /// # Errors
    /// `TimedOut` when it has not.
    pub fn wait_for_the_end(&self) -> io::Result<()> {
        use std::io::Read;
        let mut engine = self.engine.borrow_mut();
        let control = &mut engine.session().control;
        control.set_read_timeout(Some(self.patience))?;
        match control.read(&mut [0; 64]) {
            Ok(0) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Ok(count) => Err(io::Error::other(format!("{count} bytes came instead of the end"))),
            Err(error) => Err(error),
        }
    }

    /// Goes at once, as a process that is killed, whatever streams there are; they are of no use afterwards.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn vanish(self) -> io::Result<()> {
        self.engine.borrow_mut().session().control.shutdown(std::net::Shutdown::Both)
    }

    /// Stops the rings as a guest that shuts down, and goes; how far the device had come in each.
    ///
    /// # Errors
    /// When the device does not answer.
    pub fn detach(self) -> Result<[u32; RINGS], AttachError> {
        self.engine.borrow_mut().session().stop()
    }

    fn stream(&self, key: Key) -> Stream {
        Stream::new(Rc::clone(&self.engine), key, self.patience)
    }

    fn turn(&self, until: Instant) -> io::Result<()> {
        if !self.engine.borrow_mut().turn(until)? && Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// Phases in which a call is answered.
pub(crate) fn answered(phase: Phase) -> Option<io::Result<()>> {
    match phase {
        Phase::Calling => None,
        Phase::Open => Some(Ok(())),
        Phase::Refused => Some(Err(io::ErrorKind::ConnectionRefused.into())),
        Phase::Reset | Phase::Closing => Some(Err(io::ErrorKind::ConnectionReset.into())),
    }
}
