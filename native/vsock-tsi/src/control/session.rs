//! One front end that is attached: what it has negotiated, the memory and the rings it has set up.

#![forbid(unsafe_code)]

use crate::breach::Breach;
use crate::control::channel::Channel;
use crate::control::message::{Message, answer, feature, request};
use crate::kick::Kick;
use crate::memory::{Memory, RegionRequest};
use crate::rings::{Addresses, Ring};
use rustix::fd::OwnedFd;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Rings of a vsock device: to the guest, from the guest, events (never used here).
pub const RINGS: usize = 3;
/// The ring of packets to the guest.
pub const TO_GUEST: usize = 0;
/// The ring of packets from the guest.
pub const FROM_GUEST: usize = 1;

const FEATURES: u64 = feature::VERSION_1 | feature::EVENT_IDX | feature::INDIRECT_DESC | feature::PROTOCOL_FEATURES;
const PROTOCOL_FEATURES: u64 =
    feature::MQ | feature::REPLY_ACK | feature::BACKEND_REQ | feature::CONFIG | feature::RESET_DEVICE;

/// In SET_VRING_KICK and its like: number of the ring, and the mark that no descriptor comes with it.
const RING_MASK: u64 = 0xff;
const NO_DESCRIPTOR: u64 = 0x100;
/// GET_CONFIG: offset, size and flags before the configuration space itself.
const CONFIG_HEADER: usize = 12;
/// SET_MEM_TABLE: number of regions and padding, then regions of four 64-bit numbers.
const REGIONS_HEADER: usize = 8;
const REGION: usize = 32;

/// What the owner of a session has to do after a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// A ring has a new descriptor by which the guest kicks: watch it.
    Kick(usize),
    /// The guest's driver starts anew: streams of this device are no more.
    Reset,
}

/// One attached front end.
#[derive(Debug)]
pub struct Session {
    channel: Channel,
    cid: u32,
    features: u64,
    /// The guest's memory, once it is known.
    pub memory: Option<Memory>,
    /// The device's rings.
    pub rings: [Ring; RINGS],
    /// Never written to; User Mode Linux takes its closing for the device's end.
    _requests: Option<OwnedFd>,
}

impl Session {
    /// A conversation that has just begun.
    #[must_use]
    pub fn new(channel: Channel, cid: u32) -> Self {
        let rings = std::array::from_fn(Ring::new);
        Self { channel, cid, features: 0, memory: None, rings, _requests: None }
    }

    /// The control socket.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Notifications are asked for by index.
    #[must_use]
    pub fn event_idx(&self) -> bool {
        self.features & feature::EVENT_IDX != 0
    }

    /// Deals with the next message; `None` when there is none now.
    ///
    /// # Errors
    /// When the front end has gone or breaks the rules.
    pub fn converse(&mut self) -> Result<Option<Change>, Breach> {
        let Some(mut message) = self.channel.receive()? else { return Ok(None) };
        let (change, reply) = match self.query(&message)? {
            Some(reply) => (Change::None, Some(reply)),
            None => (self.command(&mut message)?, None),
        };
        let reply = reply.or_else(|| message.needs_answer().then(|| 0_u64.to_ne_bytes().to_vec()));
        if let Some(body) = reply {
            self.channel.send(&answer(message.request, &body))?;
        }
        Ok(Some(change))
    }

    /// Requests that ask for something.
    fn query(&mut self, message: &Message) -> Result<Option<Vec<u8>>, Breach> {
        let number = match message.request {
            request::GET_FEATURES => FEATURES,
            request::GET_PROTOCOL_FEATURES => PROTOCOL_FEATURES,
            request::GET_QUEUE_NUM => RINGS as u64,
            request::GET_CONFIG => return self.configuration(message).map(Some),
            request::GET_VRING_BASE => {
                let ring = ring_number(message, message.u32(0)?)?;
                let base = u32::from(self.rings[ring].stop());
                return Ok(Some([(ring as u32).to_ne_bytes(), base.to_ne_bytes()].concat()));
            }
            _ => return Ok(None),
        };
        Ok(Some(number.to_ne_bytes().to_vec()))
    }

    /// The configuration space is the guest's CID, 64 bits little endian.
    fn configuration(&self, message: &Message) -> Result<Vec<u8>, Breach> {
        let (offset, size) = (message.u32(0)? as usize, message.u32(4)? as usize);
        if message.body.len() != CONFIG_HEADER + size {
            return Err(message.fault(format!("{size} bytes asked for, room for another number given")));
        }
        let space = u64::from(self.cid).to_le_bytes();
        let mut body = message.body.clone();
        for (place, byte) in body[CONFIG_HEADER..].iter_mut().enumerate() {
            *byte = offset.checked_add(place).and_then(|at| space.get(at)).copied().unwrap_or(0);
        }
        Ok(body)
    }

    /// Requests that change something.
    fn command(&mut self, message: &mut Message) -> Result<Change, Breach> {
        match message.request {
            request::SET_OWNER | request::SET_PROTOCOL_FEATURES | request::SET_CONFIG | request::SET_VRING_ERR => {}
            request::SET_FEATURES => self.set_features(message)?,
            request::RESET_OWNER | request::RESET_DEVICE => {
                self.rings = std::array::from_fn(Ring::new);
                return Ok(Change::Reset);
            }
            request::SET_MEM_TABLE => self.set_memory(message)?,
            request::SET_VRING_NUM => self.ring(message)?.set_size(message.u32(4)?)?,
            request::SET_VRING_ADDR => {
                let (table, used, available) = (message.u64(8)?, message.u64(16)?, message.u64(24)?);
                self.ring(message)?.set_addresses(Addresses { table, used, available });
            }
            request::SET_VRING_BASE => {
                let base = u16::try_from(message.u32(4)?).map_err(|_| message.fault("a base beyond 65535"))?;
                self.ring(message)?.set_base(base);
            }
            request::SET_VRING_ENABLE => self.ring(message)?.enabled = message.u32(4)? == 1,
            request::SET_VRING_KICK => return self.set_kick(message),
            request::SET_VRING_CALL => self.set_call(message)?,
            request::SET_BACKEND_REQ_FD => self._requests = message.descriptors.pop(),
            _ => return Err(message.fault("not known")),
        }
        Ok(Change::None)
    }

    fn set_features(&mut self, message: &Message) -> Result<(), Breach> {
        let features = message.u64(0)?;
        if features & !FEATURES != 0 {
            return Err(message.fault(format!("features {:#x} were not offered", features & !FEATURES)));
        }
        self.features = features;
        Ok(())
    }

    fn set_memory(&mut self, message: &mut Message) -> Result<(), Breach> {
        let count = message.u32(0)? as usize;
        if count != message.descriptors.len() {
            let descriptors = message.descriptors.len();
            return Err(message.fault(format!("{count} regions with {descriptors} descriptors")));
        }
        let mut regions = Vec::with_capacity(count);
        for (number, file) in std::mem::take(&mut message.descriptors).into_iter().enumerate() {
            // More room than the regions need is no fault: see the module's head.
            let at = REGIONS_HEADER + number * REGION;
            let field = |index: usize| message.u64(at + 8 * index);
            let (guest, length, front_end, offset) = (field(0)?, field(1)?, field(2)?, field(3)?);
            regions.push(RegionRequest { guest, length, front_end, offset, file });
        }
        self.memory = Some(Memory::map(regions).map_err(|what| message.fault(what))?);
        self.rings.iter_mut().for_each(Ring::forget_memory);
        Ok(())
    }

    fn set_kick(&mut self, message: &mut Message) -> Result<Change, Breach> {
        let (ring, descriptor) = ring_and_descriptor(message)?;
        let kick = descriptor.ok_or_else(|| message.fault("rings without a kick are not polled"))?;
        self.rings[ring].kick = Some(Kick::new(kick));
        if self.features & feature::PROTOCOL_FEATURES == 0 {
            self.rings[ring].enabled = true;
        }
        Ok(Change::Kick(ring))
    }

    fn set_call(&mut self, message: &mut Message) -> Result<(), Breach> {
        let (ring, descriptor) = ring_and_descriptor(message)?;
        if let Some(call) = &descriptor {
            // An interrupt must not wait: User Mode Linux uses a pipe, which can be full.
            let flags = fcntl_getfl(call).and_then(|flags| fcntl_setfl(call, flags | OFlags::NONBLOCK));
            flags.map_err(|errno| message.fault(format!("its descriptor: {errno}")))?;
        }
        self.rings[ring].call = descriptor;
        Ok(())
    }

    fn ring(&mut self, message: &Message) -> Result<&mut Ring, Breach> {
        let number = ring_number(message, message.u32(0)?)?;
        Ok(&mut self.rings[number])
    }
}

fn ring_number(message: &Message, number: u32) -> Result<usize, Breach> {
    let number = number as usize;
    if number < RINGS { Ok(number) } else { Err(message.fault(format!("no ring {number}"))) }
}

fn ring_and_descriptor(message: &mut Message) -> Result<(usize, Option<OwnedFd>), Breach> {
    let value = message.u64(0)?;
    let ring = ring_number(message, (value & RING_MASK) as u32)?;
    let descriptor = if value & NO_DESCRIPTOR == 0 { message.descriptors.pop() } else { None };
    Ok((ring, descriptor))
}

#[cfg(test)]
mod tests;
