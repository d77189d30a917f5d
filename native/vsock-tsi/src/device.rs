//! One vhost-user device of a guest: takes packets from its rings, puts packets into them, wakes the guest.

#![forbid(unsafe_code)]

use crate::batch::Batch;
use crate::breach::Breach;
use crate::control::session::{FROM_GUEST, Session, TO_GUEST};
use crate::memory::Memory;
use crate::packet;
use crate::rings::{Chain, Direction, Ring};
use crate::traffic::Traffic;
use crate::uplink::Uplink;
use vm_memory::VolatileSlice;

/// Packets, each way, of one turn: then other guests have theirs.
const TURN: usize = 256;
/// Packets to the guest before it is interrupted, when there are more.
const BATCH: u16 = 32;
/// Packets from the guest before it is told that their room is free. It learns so late that it is rarely interrupted
/// for it, and so early that it never waits (`Ring::runs_dry`).
const LAZY: u16 = 16;
/// Beats of the pulse after which a guest is told of free room at the latest: one that waits for all its packets to be
/// used must not wait for ever.
const TELL_AFTER: u32 = 8;
/// Beats after which an interrupt is repeated: a guest has had one whole interval to react to it.
const RESCUE_AFTER: u32 = 2;
/// How often an interrupt is repeated, each after twice the time.
const RESCUES: u32 = 6;

/// One device.
#[derive(Debug, Default)]
pub struct Device {
    /// The attached front end.
    pub session: Option<Session>,
    untold: u32,
    rescue: Option<Rescue>,
}

/// An interrupt that the guest may have slept through.
#[derive(Debug, Clone, Copy)]
struct Rescue {
    beats: u32,
    wait: u32,
    left: u32,
}

/// The parts of a device that is in use.
struct Running<'d> {
    memory: &'d Memory,
    to_guest: &'d mut Ring,
    from_guest: &'d mut Ring,
}

impl Device {
    /// A front end has come.
    pub fn attach(&mut self, session: Session) {
        *self = Self { session: Some(session), ..Self::default() };
    }

    /// The front end has gone, or is sent away.
    pub fn detach(&mut self) {
        *self = Self::default();
    }

    fn running(&mut self) -> Result<Option<Running<'_>>, Breach> {
        let Some(session) = &mut self.session else { return Ok(None) };
        let event_idx = session.event_idx();
        let Some(memory) = &session.memory else { return Ok(None) };
        if memory.is_cut() {
            return Err(Breach::Memory);
        }
        for number in [TO_GUEST, FROM_GUEST] {
            if !session.rings[number].ready(memory, event_idx)? {
                return Ok(None);
            }
        }
        let [to_guest, from_guest, _] = &mut session.rings;
        Ok(Some(Running { memory, to_guest, from_guest }))
    }

    /// Takes packets from the guest; whether there may be more.
    ///
    /// # Errors
    /// When the guest broke its ring.
    pub fn take_packets<A: Uplink, T: Uplink>(
        &mut self,
        number: usize,
        traffic: &mut Traffic<A, T>,
    ) -> Result<bool, Breach> {
        let Some(Running { memory, from_guest: ring, .. }) = self.running()? else { return Ok(false) };
        let (mut parts, mut pieces) = (Vec::<VolatileSlice<'_>>::new(), Vec::new());
        ring.hush(&memory.map)?;
        for _ in 0..TURN {
            let Some(chain) = ring.take(&memory.map, Direction::FromGuest, &mut parts)? else { return Ok(false) };
            traffic.receive(number, &parts, &mut pieces);
            ring.done(&memory.map, chain, 0)?;
            if (ring.unsignalled() >= LAZY || ring.runs_dry()) && ring.signal(&memory.map)? {
                traffic.stats.interrupts += 1;
            }
        }
        Ok(true)
    }

    /// Puts packets into the guest's memory; whether there may be more, and room for them.
    ///
    /// # Errors
    /// When the guest broke its ring.
    pub fn put_packets<A: Uplink, T: Uplink>(
        &mut self,
        number: usize,
        traffic: &mut Traffic<A, T>,
        rescues: bool,
    ) -> Result<bool, Breach> {
        if !traffic.has_packets(number) {
            return Ok(false);
        }
        let Some(Running { memory, to_guest: ring, .. }) = self.running()? else { return Ok(false) };
        let before = traffic.stats.interrupts;
        ring.hush(&memory.map)?;
        let (mut more, mut left, mut room) = (true, TURN, Room::default());
        while more && left > 0 {
            let count = if traffic.has_packets(number) { put(number, ring, memory, traffic, &mut room)? } else { 0 };
            (more, left) = (count > 0, left.saturating_sub(count));
            if (!more || left == 0 || ring.unsignalled() >= BATCH) && ring.signal(&memory.map)? {
                traffic.stats.interrupts += 1;
            }
        }
        if traffic.stats.interrupts != before && rescues {
            self.rescue = Some(Rescue { beats: 0, wait: RESCUE_AFTER, left: RESCUES });
        }
        Ok(more)
    }

    /// Asks for the guest's next kick; whether there is something to do already.
    ///
    /// # Errors
    /// When the guest broke its ring.
    pub fn listen(&mut self) -> Result<bool, Breach> {
        match self.running()? {
            Some(running) => running.from_guest.listen(&running.memory.map),
            None => Ok(false),
        }
    }

    /// The guest has put something into a ring.
    ///
    /// # Errors
    /// When the guest broke its ring.
    pub fn has_packets(&mut self) -> Result<bool, Breach> {
        match self.running()? {
            Some(running) => running.from_guest.has_chains(&running.memory.map),
            None => Ok(false),
        }
    }

    /// Something is to be looked at when the pulse beats.
    #[must_use]
    pub fn needs_pulse(&self) -> bool {
        let untold = |session: &Session| session.rings[FROM_GUEST].unsignalled() > 0;
        self.rescue.is_some() || self.session.as_ref().is_some_and(untold)
    }

    /// The pulse has beaten: tells what has been left untold, repeats what the guest has not noticed.
    ///
    /// # Errors
    /// When the guest broke its ring.
    pub fn beat<A: Uplink, T: Uplink>(&mut self, traffic: &mut Traffic<A, T>) -> Result<(), Breach> {
        let (untold, rescue) = (self.untold + 1, self.rescue);
        let Some(Running { memory, to_guest, from_guest }) = self.running()? else { return Ok(()) };
        let untold = if from_guest.unsignalled() == 0 { 0 } else { untold };
        if untold >= TELL_AFTER && from_guest.signal(&memory.map)? {
            traffic.stats.interrupts += 1;
        }
        let mut rescue = rescue.filter(|_| to_guest.unnoticed(&memory.map));
        if let Some(rescue) = &mut rescue {
            rescue.beats += 1;
            if rescue.beats == rescue.wait {
                to_guest.ring()?;
                traffic.stats.interrupts += 1;
                traffic.stats.rescues += 1;
                *rescue = Rescue { beats: 0, wait: 2 * rescue.wait, left: rescue.left - 1 };
            }
        }
        self.rescue = rescue.filter(|rescue| rescue.left > 0);
        self.untold = untold % TELL_AFTER;
        Ok(())
    }
}

/// Room to work in while packets are put into the guest's memory.
#[derive(Default)]
struct Room<'m> {
    parts: Vec<VolatileSlice<'m>>,
    pieces: Vec<VolatileSlice<'m>>,
    batch: Batch<'m>,
    chains: Vec<Chain>,
}

impl<'m> Room<'m> {
    /// Takes buffers from the guest's ring, as many as can be used at once.
    fn collect(&mut self, ring: &mut Ring, memory: &'m Memory, appetite: usize) -> Result<(), Breach> {
        self.batch.clear();
        self.chains.clear();
        while self.chains.len() < appetite {
            let Some(chain) = ring.take(&memory.map, Direction::ToGuest, &mut self.parts)? else { break };
            if self.parts.iter().map(VolatileSlice::len).sum::<usize>() <= packet::HEADER {
                return Err(ring.fault("a buffer with no room behind the header"));
            }
            self.batch.add(&self.parts);
            self.chains.push(chain);
        }
        Ok(())
    }
}

/// Puts packets into the guest's memory; how many. 0 when there is none, or no room.
fn put<'m, A: Uplink, T: Uplink>(
    number: usize,
    ring: &mut Ring,
    memory: &'m Memory,
    traffic: &mut Traffic<A, T>,
    room: &mut Room<'m>,
) -> Result<usize, Breach> {
    let appetite = traffic.appetite(number);
    room.collect(ring, memory, appetite)?;
    // Without buffers, the guest's next ones must wake the device; those just come are used at once.
    if room.chains.is_empty() && ring.listen(&memory.map)? {
        room.collect(ring, memory, appetite)?;
    }
    let Room { pieces, batch, chains, .. } = room;
    if chains.is_empty() {
        return Ok(0);
    }
    traffic.transmit(number, batch, pieces);
    for (chain, length) in chains.iter().zip(batch.written()) {
        ring.done(&memory.map, *chain, *length)?;
    }
    let count = batch.written().len();
    (count..chains.len()).for_each(|_| ring.put_back());
    Ok(count)
}
