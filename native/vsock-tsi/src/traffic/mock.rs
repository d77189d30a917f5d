//! An uplink that follows a script, remembers what it was told, and insists on the contract.

use super::*;
use crate::batch::Batch;
use crate::packet::{self, Header};
use crate::pages::GuestBuffers;
use crate::uplink::Opening;
use std::collections::HashMap;

/// What one stream of the mock has seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub written: Vec<u8>,
    pub finished: bool,
    pub accepted: Option<bool>,
    pub closed: Option<bool>,
}

/// The mock.
#[derive(Debug)]
pub struct Script {
    pub opening: Result<Opening, Refused>,
    /// Bytes taken before it pushes back.
    pub room: usize,
    pub write_fails: bool,
    /// What every stream has to say, and whether it ends then.
    pub says: HashMap<StreamId, (VecDeque<u8>, bool)>,
    pub live: HashMap<StreamId, Seen>,
    pub ended: HashMap<StreamId, Seen>,
    pub opened: Vec<(StreamId, SocketAddrV4, SocketAddrV4)>,
}

impl Default for Script {
    fn default() -> Self {
        let (says, live, ended, opened) = Default::default();
        Self { opening: Ok(Opening::Done), room: usize::MAX, write_fails: false, says, live, ended, opened }
    }
}

impl Script {
    fn seen(&mut self, stream: StreamId) -> &mut Seen {
        self.live.get_mut(&stream).expect("only live streams are named")
    }

    fn end(&mut self, stream: StreamId, closed: Option<bool>) {
        let mut seen = self.live.remove(&stream).expect("a stream ends once");
        seen.closed = closed;
        self.ended.insert(stream, seen);
    }
}

impl Uplink for Script {
    fn open(&mut self, stream: StreamId, from: SocketAddrV4, to: SocketAddrV4) -> Result<Opening, Refused> {
        self.opened.push((stream, from, to));
        let opening = self.opening?;
        assert!(self.live.insert(stream, Seen::default()).is_none(), "numbers are not used twice");
        Ok(opening)
    }

    fn answered(&mut self, stream: StreamId, accepted: bool) {
        self.live.entry(stream).or_default().accepted = Some(accepted);
        if !accepted {
            self.end(stream, None);
        }
    }

    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize> {
        if self.write_fails {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut bytes = vec![0; from_guest.len().min(self.room)];
        from_guest.copy_to(0, &mut bytes);
        self.room -= bytes.len();
        let seen = self.seen(stream);
        assert!(!seen.finished, "nothing is sent after the end");
        seen.written.extend(&bytes);
        Ok(bytes.len())
    }

    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize> {
        self.seen(stream);
        assert!(into_guest.room() > 0, "reading needs room");
        let (bytes, ends) = self.says.entry(stream).or_default();
        if bytes.is_empty() && !*ends {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into_guest.fill(bytes.make_contiguous());
        bytes.drain(..count);
        Ok(count)
    }

    fn finish(&mut self, stream: StreamId) {
        let seen = self.seen(stream);
        assert!(!seen.finished, "a half ends once");
        seen.finished = true;
    }

    fn close(&mut self, stream: StreamId, reset: bool) {
        self.end(stream, Some(reset));
    }
}

/// A guest's driver without rings: packets in, packets out.
pub struct Bench {
    pub traffic: Traffic<Script, Script>,
    /// Room behind the header of the guest's buffers.
    pub buffer: usize,
}

/// The destination that tests call, and the guest's port they call from.
pub const THERE: u32 = 0x0a0a_0214;
pub const PORT: u32 = 40_000;

impl Bench {
    pub fn new(services: &[&[Service]]) -> Self {
        let devices = services
            .iter()
            .map(|services| crate::config::DeviceConfig { socket: Default::default(), services: services.to_vec() });
        let config = GuestConfig {
            name: "guest".into(),
            cid: 3,
            address: Ipv4Addr::new(10, 10, 1, 10),
            devices: devices.collect(),
            hybrid: None,
            outbound: None,
            inbound: None,
            inbound_ports: Vec::new(),
        };
        let mut traffic = Traffic::new(&config, Script::default(), Script::default());
        (0..services.len()).for_each(|device| traffic.attach(device));
        Self { traffic, buffer: 100 }
    }

    pub fn tsi() -> Self {
        Self::new(&[&[Service::Agent, Service::Tsi]])
    }

    /// The header of a packet from the guest's port to THERE:8080.
    pub fn header(op: u16, from_port: u32) -> Header {
        Header {
            from_cid: 3,
            to_cid: THERE.into(),
            from_port,
            to_port: 8080,
            kind: packet::STREAM,
            op,
            buffer: 1 << 18,
            ..Header::default()
        }
    }

    pub fn send(&mut self, mut header: Header, payload: &[u8]) {
        header.length += payload.len() as u32;
        let (mut head, mut body) = (header.encode(), payload.to_vec());
        let parts = [(&mut head[..]).into(), body.as_mut_slice().into()];
        self.traffic.receive(0, &parts, &mut Vec::new());
    }

    pub fn say(&mut self, op: u16, payload: &[u8]) {
        self.send(Self::header(op, PORT), payload);
    }

    pub fn shutdown(&mut self, flags: u32) {
        self.send(Header { flags, ..Self::header(packet::op::SHUTDOWN, PORT) }, &[]);
    }

    pub fn next(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut room = vec![0; packet::HEADER + self.buffer];
        let mut batch = Batch::default();
        batch.add(&[room.as_mut_slice().into()]);
        self.traffic.transmit(0, &mut batch, &mut Vec::new());
        let length = *batch.written().first()? as usize;
        let header = Header::decode(room.first_chunk().expect("room for a header"));
        assert_eq!(length, packet::HEADER + header.length as usize, "the header tells the length");
        Some((header, room[packet::HEADER..length].to_vec()))
    }

    pub fn ops(&mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.next().map(|(header, _)| header.op)).collect()
    }

    /// Opens the stream from PORT, and forgets the packets of that.
    pub fn open(&mut self) -> StreamId {
        self.say(packet::op::REQUEST, &[]);
        assert_eq!(self.ops(), [packet::op::RESPONSE]);
        self.traffic.tsi.opened.last().expect("it was opened").0
    }

    pub fn far_says(&mut self, stream: StreamId, bytes: &[u8], ends: bool) {
        let entry = self.traffic.tsi.says.entry(stream).or_default();
        entry.0.extend(bytes);
        entry.1 |= ends;
        self.traffic.ready(stream, Readiness::Readable);
    }
}
