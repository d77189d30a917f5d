//! The guest's side of the device: packets between rings and streams. One thread, which waits only when told to.

#![forbid(unsafe_code)]

use crate::connection::{Connection, Phase};
use crate::options::Options;
use crate::packet::{Address, Header, NO_RECEIVE, NO_SEND, Op, STREAM};
use crate::seen::Seen;
use crate::session::Session;
use crate::slots::Slots;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

/// Local port and far end: what tells streams of one guest apart.
pub(crate) type Key = (u32, Address);

pub(crate) struct Engine {
    pub cid: u64,
    pub receive: Slots,
    pub send: Slots,
    pub connections: HashMap<Key, Connection>,
    /// Ports listened on, and calls that came and were not accepted yet.
    pub listening: HashMap<u32, VecDeque<Key>>,
    pub seen: Seen,
    pub spare: Vec<Vec<u8>>,
    /// Packets without payload that found no free slot.
    outbox: VecDeque<Header>,
    credit_bytes: u32,
    strict: bool,
    answers_strays: bool,
    session: Session,
    bells: Epoll,
}

const BELL: u64 = 0;
const CONTROL: u64 = 1;

impl Engine {
    pub fn new(session: Session, cid: u64, receive: Slots, send: Slots, options: &Options) -> io::Result<Self> {
        let bells = Epoll::new()?;
        // Edges: a bell rung again is a new edge, so it need not be read, as an interrupt needs no reading.
        for ring in [&receive.ring, &send.ring] {
            let event = EpollEvent::new(EventSet::IN | EventSet::EDGE_TRIGGERED, BELL);
            bells.ctl(ControlOperation::Add, ring.call().as_raw_fd(), event)?;
        }
        let event = EpollEvent::new(EventSet::READ_HANG_UP, CONTROL);
        bells.ctl(ControlOperation::Add, session.control.as_raw_fd(), event)?;
        Ok(Self {
            cid,
            receive,
            send,
            connections: HashMap::new(),
            listening: HashMap::new(),
            seen: Seen::default(),
            spare: Vec::new(),
            outbox: VecDeque::new(),
            credit_bytes: options.credit_bytes,
            strict: options.strict,
            answers_strays: options.answers_strays,
            session,
            bells,
        })
    }

    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Gives all receive buffers to the device.
    pub fn fill_receive_ring(&mut self) {
        while let Some(slot) = self.receive.take() {
            self.receive.offer(slot, self.receive.payload_bytes() as u32);
        }
        self.publish();
    }

    /// Takes what the device has done and gives it what is waiting; whether anything happened.
    pub fn work(&mut self) -> io::Result<bool> {
        let mut happened = false;
        while let Some((slot, _)) = self.send.take_used()? {
            self.send.release(slot);
            happened = true;
        }
        while let Some((slot, written)) = self.receive.take_used()? {
            happened = true;
            match self.take_packet(slot, written) {
                Err(error) if self.strict => return Err(error),
                Err(_) => self.seen.malformed += 1,
                Ok(()) => {}
            }
            self.receive.offer(slot, self.receive.payload_bytes() as u32);
        }
        self.empty_outbox();
        self.publish();
        Ok(happened)
    }

    /// Works until something happened, or it is `until`.
    pub fn turn(&mut self, until: Instant) -> io::Result<bool> {
        if self.work()? {
            return Ok(true);
        }
        let send_wanted = self.send.free() == 0 || !self.outbox.is_empty();
        let ready = self.receive.ring.listen(true) | (send_wanted && self.send.ring.listen(true));
        if !ready {
            self.sleep(until)?;
        }
        self.receive.ring.listen(false);
        self.send.ring.listen(false);
        self.work()
    }

    fn sleep(&mut self, until: Instant) -> io::Result<()> {
        self.seen.sleeps += 1;
        let left = until.saturating_duration_since(Instant::now());
        let left_ms = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut events = [EpollEvent::default(); 4];
        let count = match self.bells.wait(left_ms, &mut events) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            other => other?,
        };
        if events[..count].iter().any(|event| event.data() == CONTROL) {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the device has gone, or closed itself on this guest",
            ));
        }
        Ok(())
    }

    /// Puts a packet without payload on its way.
    pub fn post(&mut self, header: Header) {
        self.outbox.push_back(header);
        self.empty_outbox();
    }

    /// Puts packets with payload on their way, as far as slots and credit go; how many bytes.
    pub fn send_data(&mut self, key: Key, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() && self.outbox.is_empty() {
            let Some(connection) = self.connections.get_mut(&key) else { break };
            let room = (connection.credit() as usize).min(self.send.payload_bytes());
            let part = &bytes[done..bytes.len().min(done + room)];
            if part.is_empty() {
                break;
            }
            let Some(slot) = self.send.take() else { break };
            let header = connection.data(part.len() as u32);
            self.send.write_header(slot, &header);
            self.send.payload(slot, part.len()).copy_from(part);
            self.send.offer(slot, part.len() as u32);
            done += part.len();
        }
        done
    }

    /// Shows the device what was offered, and wakes it if it asked for that.
    pub fn publish(&mut self) {
        for ring in [&mut self.send.ring, &mut self.receive.ring] {
            if ring.publish() {
                ring.ring();
            }
        }
    }

    fn empty_outbox(&mut self) {
        while let (Some(&header), true) = (self.outbox.front(), self.send.free() > 0) {
            let Some(slot) = self.send.take() else { return };
            self.send.write_header(slot, &header);
            self.send.offer(slot, 0);
            self.outbox.pop_front();
        }
    }

    fn take_packet(&mut self, slot: u16, written: u32) -> io::Result<()> {
        let header = self.receive.read_header(slot);
        let fits = header.length as usize <= self.receive.payload_bytes();
        let whole = u64::from(written) == crate::packet::HEADER as u64 + u64::from(header.length);
        let Some(op) = Op::of(header.op).filter(|_| fits && whole && header.kind == STREAM) else {
            return Err(fault(&header, &format!("malformed ({written} bytes written)")));
        };
        if header.to.cid != self.cid {
            return Err(fault(&header, "it is not for this guest"));
        }
        self.seen.count(op);
        let key = (header.to.port, header.from);
        if op == Op::Request {
            return self.called(key, &header);
        }
        let Some(connection) = self.connections.get_mut(&key) else {
            self.stray(op, &header);
            return Ok(());
        };
        connection.learn(&header);
        match op {
            Op::Response if connection.phase == Phase::Calling => connection.phase = Phase::Open,
            Op::Response => return Err(fault(&header, "nobody called")),
            Op::Reset => self.reset(key),
            Op::Data if connection.phase == Phase::Open => {
                let mut chunk = self.spare.pop().unwrap_or_default();
                chunk.resize(header.length as usize, 0);
                self.receive.payload(slot, chunk.len()).copy_to(&mut chunk);
                connection.receive(chunk).map_err(|what| fault(&header, what))?;
            }
            Op::Shutdown => connection.shut(header.flags),
            Op::CreditRequest => {
                let update = connection.packet(Op::CreditUpdate);
                self.post(update);
            }
            Op::Data | Op::CreditUpdate | Op::Request => {}
        }
        Ok(())
    }

    fn called(&mut self, key: Key, header: &Header) -> io::Result<()> {
        if self.connections.contains_key(&key) {
            return Err(fault(header, "this stream is open already"));
        }
        let near = header.to;
        let Some(calls) = self.listening.get_mut(&near.port) else {
            self.post(Header::new(near, header.from, Op::Reset));
            return Ok(());
        };
        calls.push_back(key);
        let mut connection = Connection::new(near, header.from, Phase::Open, self.credit_bytes);
        connection.learn(header);
        let response = connection.packet(Op::Response);
        self.connections.insert(key, connection);
        self.post(response);
        Ok(())
    }

    fn reset(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        match connection.phase {
            Phase::Calling => connection.phase = Phase::Refused,
            // After both sides have said that they send no more, it is the confirmation.
            Phase::Open if connection.ended && connection.finished => connection.deaf = true,
            Phase::Open => connection.phase = Phase::Reset,
            Phase::Closing => drop(self.connections.remove(&key)),
            Phase::Refused | Phase::Reset => {}
        }
    }

    fn stray(&mut self, op: Op, header: &Header) {
        self.seen.strays += 1;
        if op != Op::Reset && self.answers_strays {
            self.post(Header::new(header.to, header.from, Op::Reset));
        }
    }

    /// Begins a call.
    pub fn call(&mut self, near_port: u32, far: Address) -> io::Result<Key> {
        let key = (near_port, far);
        if self.connections.contains_key(&key) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "this guest has such a stream"));
        }
        let near = Address::new(self.cid, near_port);
        let mut connection = Connection::new(near, far, Phase::Calling, self.credit_bytes);
        let request = connection.packet(Op::Request);
        self.connections.insert(key, connection);
        self.post(request);
        self.publish();
        Ok(key)
    }

    /// The application lets go of a stream.
    pub fn close(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        match connection.phase {
            Phase::Open if connection.ended && connection.deaf => {
                let reset = connection.packet(Op::Reset);
                self.connections.remove(&key);
                self.post(reset);
            }
            Phase::Open => {
                connection.phase = Phase::Closing;
                connection.chunks.clear();
                let shutdown = Header { flags: NO_RECEIVE | NO_SEND, ..connection.packet(Op::Shutdown) };
                self.post(shutdown);
            }
            Phase::Calling | Phase::Refused | Phase::Reset => drop(self.connections.remove(&key)),
            Phase::Closing => {}
        }
        self.publish();
    }
}

fn fault(header: &Header, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the device broke the rules: {what}: {header:?}"))
}
