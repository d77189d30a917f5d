//! All streams of one guest between its devices' rings and the uplinks, without the rings: packets go in, packets
//! come out.

#![forbid(unsafe_code)]

use crate::budget::Budget;
use crate::config::{GuestConfig, Service};
use crate::hello::Hello;
use crate::packet::Header;
use crate::pages::GuestBytes;
use crate::stats::{Flow, GuestStats, Share, address};
use crate::stream::{Far, Key, Owed, State, Stream};
use crate::streams::Streams;
use crate::uplink::{Readiness, Refused, StreamId, Uplink};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Streams of one guest.
const STREAMS: usize = 16_384;
/// CID of the device's own services and of the harness as caller.
pub const HOST_CID: u32 = 2;
/// First port of the harness as caller.
const AGENT_PORTS: u32 = 0x4000_0000;

/// One guest's streams and where they go.
#[derive(Debug)]
pub struct Traffic<A, T> {
    pub(crate) cid: u32,
    pub(crate) address: Ipv4Addr,
    pub(crate) services: Vec<Vec<Service>>,
    pub(crate) attached: Vec<bool>,
    pub(crate) streams: Streams,
    pub(crate) budget: Budget,
    /// Resets of streams that are not known here, by device.
    pub(crate) resets: Vec<VecDeque<Header>>,
    hello: Hello,
    /// Where the sandbox's own services go.
    pub agent: A,
    /// Where its applications' streams go.
    pub tsi: T,
    /// What has happened; streams still open are not in `destinations`, `inboundPorts` and `open`.
    pub stats: GuestStats,
    hello_flow: Flow,
    next_agent_port: u32,
}

impl<A: Uplink, T: Uplink> Traffic<A, T> {
    /// A guest without streams.
    #[must_use]
    pub fn new(config: &GuestConfig, agent: A, tsi: T) -> Self {
        let devices = config.devices.len();
        Self {
            cid: config.cid,
            address: config.address,
            services: config.devices.iter().map(|device| device.services.clone()).collect(),
            attached: vec![false; devices],
            streams: Streams::new(devices, STREAMS),
            budget: Budget::default(),
            resets: vec![VecDeque::new(); devices],
            hello: Hello::new(config.address),
            agent,
            tsi,
            stats: GuestStats::default(),
            hello_flow: Flow::default(),
            next_agent_port: 0,
        }
    }

    /// A front end has come to a device.
    pub fn attach(&mut self, device: usize) {
        self.attached[device] = true;
    }

    /// A front end, or its driver, has gone: the device's streams are no more.
    pub fn detach(&mut self, device: usize) {
        self.attached[device] = false;
        self.resets[device].clear();
        for index in self.streams.of_device(device) {
            self.close(index, true);
            self.remove(index);
        }
    }

    /// Calls a TCP port of the guest in a caller's name.
    ///
    /// # Errors
    /// When the guest is not there, the name cannot be a caller's, or there are too many streams.
    pub fn call_tcp(&mut self, from: SocketAddrV4, port: u16) -> Result<StreamId, Refused> {
        let far_cid = from.ip().to_bits();
        if far_cid <= HOST_CID || far_cid == u32::MAX || far_cid == self.cid || port == 0 {
            return Err(Refused);
        }
        let guest_port = u32::from(port);
        // The caller's port if it is free, else the next that is; ports below 1024 are left to those who ask for them.
        let following = (1..64_512).map(|step| 1024 + (u32::from(from.port()) + 63_488 + step) % 64_512);
        let free = std::iter::once(u32::from(from.port())).chain(following).map(|far_port| Key {
            far_cid,
            far_port,
            guest_port,
        });
        self.call(Far::Tsi, free)
    }

    /// Calls one of the sandbox's own services.
    ///
    /// # Errors
    /// When the guest is not there, the port is not a service's, or there are too many streams.
    pub fn call_agent(&mut self, port: u32) -> Result<StreamId, Refused> {
        if port <= u32::from(u16::MAX) {
            return Err(Refused);
        }
        self.next_agent_port = self.next_agent_port.wrapping_add(1);
        let first = self.next_agent_port;
        let keys = (0..=u32::from(u16::MAX)).map(move |step| {
            let far_port = AGENT_PORTS | first.wrapping_add(step) & (AGENT_PORTS - 1);
            Key { far_cid: HOST_CID, far_port, guest_port: port }
        });
        self.call(Far::Agent, keys)
    }

    fn call(&mut self, far: Far, mut keys: impl Iterator<Item = Key>) -> Result<StreamId, Refused> {
        let service = if far == Far::Agent { Service::Agent } else { Service::Tsi };
        let device = self.services.iter().position(|services| services.contains(&service)).ok_or(Refused)?;
        let key = keys.find(|key| self.streams.is_free(key));
        let stream = key.filter(|_| self.attached[device]).map(|key| Stream::new(key, device as u8, far, false));
        let added = stream.and_then(|mut stream| {
            stream.owed.add(Owed::REQUEST);
            self.streams.add(stream)
        });
        let Some(id) = added else {
            self.flow(far, false).refused += 1;
            return Err(Refused);
        };
        self.streams.queue(id.index);
        Ok(id)
    }

    /// Learns what an uplink has to say of a stream.
    pub fn ready(&mut self, id: StreamId, readiness: Readiness) {
        let Some(stream) = self.streams.get(id) else { return };
        match (readiness, stream.state) {
            (Readiness::Opened, State::Calling) => self.accept(id.index),
            (Readiness::Refused, State::Calling) => self.refuse(id.index),
            (Readiness::Broken, State::Calling) => self.reset(id.index),
            (Readiness::Broken, State::Ringing) => self.reset(id.index),
            (Readiness::Readable, _) => stream.readable = true,
            (Readiness::Writable, State::Open | State::Draining) => self.offer_held(id.index),
            (Readiness::Broken, State::Open | State::Draining) => self.broken(id.index),
            _ => {}
        }
        self.streams.queue(id.index);
    }

    /// The uplinks write what they have gathered.
    ///
    /// # Errors
    /// When an uplink as a whole is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        self.agent.flush()?;
        self.tsi.flush()
    }

    /// All counts, with those of streams still open.
    #[must_use]
    pub fn snapshot(&self) -> GuestStats {
        let mut stats = self.stats.clone();
        stats.connected = self.attached.contains(&true);
        for stream in self.streams.iter() {
            count_share(&mut stats, stream);
            if let (State::Open | State::Draining, Some(flow)) =
                (stream.state, flow_of(&mut stats, stream.far, stream.outbound))
            {
                flow.open += 1;
            }
        }
        stats
    }

    pub(crate) fn side(&mut self, far: Far) -> &mut dyn Uplink {
        match far {
            Far::Hello => &mut self.hello,
            Far::Agent => &mut self.agent,
            Far::Tsi => &mut self.tsi,
        }
    }

    pub(crate) fn flow(&mut self, far: Far, outbound: bool) -> &mut Flow {
        flow_of(&mut self.stats, far, outbound).unwrap_or(&mut self.hello_flow)
    }

    /// The uplink has taken the guest's call.
    pub(crate) fn accept(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        (stream.state, stream.readable, stream.accepted) = (State::Open, true, true);
        stream.owed.add(Owed::RESPONSE);
        let far = stream.far;
        self.flow(far, true).opened += 1;
        self.streams.queue(index);
    }

    /// The uplink has not taken the guest's call.
    pub(crate) fn refuse(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        let far = stream.far;
        self.flow(far, true).refused += 1;
        self.owe_reset(index);
    }

    /// Offers the uplink what it could not take before.
    fn offer_held(&mut self, index: u32) {
        while let Some(stream) = self.streams.at(index).filter(|stream| !stream.held.is_empty()) {
            let (id, far) = (StreamId { index, generation: stream.generation }, stream.far);
            let mut held = std::mem::take(&mut stream.held);
            let taken = self.side(far).write(id, &GuestBytes::new(&[held.slice()]));
            if let Ok(count) = taken {
                held.drop_front(count);
                self.budget.remove(count);
            }
            if let Some(stream) = self.streams.at(index) {
                stream.held = held;
            }
            match taken {
                Ok(0) => break,
                Ok(count) => self.count_taken(index, count),
                Err(_) => return self.broken(index),
            }
        }
        self.settle(index);
    }

    /// The uplink has taken bytes of the guest.
    pub(crate) fn count_taken(&mut self, index: u32, count: usize) {
        let Some(stream) = self.streams.at(index) else { return };
        stream.take(count);
        let (far, outbound) = (stream.far, stream.outbound);
        self.flow(far, outbound).bytes_from_guest += count as u64;
    }
}

fn flow_of(stats: &mut GuestStats, far: Far, outbound: bool) -> Option<&mut Flow> {
    match far {
        Far::Hello => None,
        Far::Agent => Some(&mut stats.agent),
        Far::Tsi if outbound => Some(&mut stats.outbound),
        Far::Tsi => Some(&mut stats.inbound),
    }
}

pub(crate) fn count_share(stats: &mut GuestStats, stream: &Stream) {
    if stream.far != Far::Tsi || !stream.accepted {
        return;
    }
    let share = Share { opened: 1, bytes_from_guest: stream.bytes_from_guest, bytes_to_guest: stream.bytes_to_guest };
    if stream.outbound {
        stats.destinations.add(address(stream.key.far_cid, stream.key.far_port as u16), share);
    } else {
        stats.inbound_ports.add(stream.key.guest_port, share);
    }
}

#[cfg(test)]
mod mock;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
