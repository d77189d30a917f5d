//! What a guest can do, in steps that the fuzzer strings together.

use crate::bench::{Bench, CID, DATA_AT, ENTRIES, RINGS_AT};
use arbitrary::Arbitrary;
use std::net::{Ipv4Addr, SocketAddrV4};
use vsock_tsi::breach::Breach;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
/// Bytes between the beginnings of packets in the guest's memory.
const STRIDE: u64 = 0x400;

/// One end of a stream as the guest names it; few, so that packets meet the same streams again.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Names {
    far: u8,
    far_port: u8,
    port: u8,
}

impl Names {
    fn far(self) -> (u64, u32) {
        let cid = match self.far % 8 {
            0..=3 => 0x0a0a_0214,
            4 => 0x0a0a_0215,
            5 => 2,
            6 => 0x7f00_0001,
            _ => 1 << 40,
        };
        let port = match self.far_port % 8 {
            0..=3 => 80,
            4 => 66_156,
            5 => 0x4000_0001,
            6 => 0,
            _ => 40_000,
        };
        (cid, port)
    }

    fn port(self) -> u32 {
        [1024, 1025, 80, 66_560][usize::from(self.port % 4)]
    }
}

/// A packet of the guest; its length is that of its payload unless it lies.
#[derive(Debug, Clone, Arbitrary)]
pub struct Packet {
    names: Names,
    op: u8,
    flags: u8,
    payload: u16,
    lie: Option<u32>,
    buf_alloc: Option<u32>,
    fwd_cnt: u32,
    odd: Option<u16>,
}

impl Packet {
    fn header(&self, payload: u32) -> [u8; 44] {
        let (cid, port) = self.names.far();
        let mut bytes = [0; 44];
        let own = u64::from(if self.odd == Some(7) { CID + 1 } else { CID });
        bytes[0..8].copy_from_slice(&own.to_le_bytes());
        bytes[8..16].copy_from_slice(&cid.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.names.port().to_le_bytes());
        bytes[20..24].copy_from_slice(&port.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.lie.unwrap_or(payload).to_le_bytes());
        bytes[28..30].copy_from_slice(&self.odd.unwrap_or(1).to_le_bytes());
        bytes[30..32].copy_from_slice(&u16::from(self.op % 9).to_le_bytes());
        bytes[32..36].copy_from_slice(&u32::from(self.flags % 5).to_le_bytes());
        bytes[36..40].copy_from_slice(&self.buf_alloc.unwrap_or(0x4_0000).to_le_bytes());
        bytes[40..44].copy_from_slice(&self.fwd_cnt.to_le_bytes());
        bytes
    }
}

/// Whose turn it is, and for what. The last three are what no proper driver does.
#[derive(Debug, Clone, Arbitrary)]
pub enum Step {
    /// The guest sends a packet in a proper chain.
    Send(Packet),
    /// The guest gives a buffer of so many bytes.
    Give(u16),
    /// The device works.
    Run,
    /// Time passes.
    Beat,
    /// A stream of the far side has news.
    News {
        /// Which one.
        which: u8,
        /// What.
        what: u8,
    },
    /// Somebody calls a port of the guest.
    Call {
        /// The agent's, or an application's.
        agent: bool,
        /// By which names.
        names: Names,
    },
    /// The guest's driver starts anew.
    Restart,
    /// Any descriptor.
    Describe {
        /// Of the ring by which the guest sends, or receives.
        sends: bool,
        /// Its place.
        index: u8,
        /// Where it points: into the data, or anywhere.
        near: Option<u16>,
        /// Anywhere.
        address: u64,
        /// Bytes.
        length: u32,
        /// Flags.
        flags: u16,
        /// The next one.
        next: u8,
    },
    /// Any head, and the available index moved by so much.
    Push {
        /// By the ring by which the guest sends, or receives.
        sends: bool,
        /// Any.
        head: u16,
        /// Mostly 1.
        jump: Option<u16>,
    },
    /// Any bytes anywhere.
    Scribble {
        /// Where.
        at: u16,
        /// What.
        bytes: [u8; 16],
    },
}

/// Takes steps on a bench.
pub struct Walk {
    bench: Bench,
    available: [u16; 2],
}

impl Walk {
    /// Begins.
    #[must_use]
    pub fn new(bench: Bench) -> Self {
        Self { bench, available: [0; 2] }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// When the guest broke the rules.
    pub fn step(&mut self, step: &Step) -> Result<(), Breach> {
        match step {
            Step::Send(packet) => self.send(packet),
            Step::Give(length) => self.give(*length),
            Step::Run => self.bench.run()?,
            Step::Beat => self.bench.device.beat(&mut self.bench.traffic)?,
            Step::News { which, what } => {
                let traffic = &mut self.bench.traffic;
                let news =
                    if which % 8 == 7 { traffic.agent.news(*which, *what) } else { traffic.tsi.news(*which, *what) };
                if let Some((stream, readiness)) = news {
                    traffic.ready(stream, readiness);
                }
            }
            Step::Call { agent, names } => self.call(*agent, *names),
            Step::Restart => {
                self.bench.traffic.detach(0);
                self.bench.traffic.attach(0);
            }
            Step::Describe { sends, index, near, address, length, flags, next } => {
                let address = near.map_or(*address, |near| DATA_AT + u64::from(near) % 0x2000);
                self.describe(*sends, u16::from(index % 16), address, *length, flags % 8, u16::from(*next % 20));
            }
            Step::Push { sends, head, jump } => self.push(*sends, *head % 20, jump.unwrap_or(1)),
            Step::Scribble { at, bytes } => self.bench.write(u64::from(*at), bytes),
        }
        Ok(())
    }

    /// The guest goes.
    pub fn end(self) {
        self.bench.end();
    }

    /// Where the next packet goes, if the device has given back enough of those before.
    fn slot(&self, sends: bool) -> Option<u16> {
        let (next, used) = (self.available[usize::from(sends)], self.bench.used(RINGS_AT[usize::from(sends)]));
        (next.wrapping_sub(used) < ENTRIES / 2).then_some(next % (ENTRIES / 2))
    }

    fn send(&mut self, packet: &Packet) {
        let Some(slot) = self.slot(true) else { return };
        let payload = u32::from(packet.payload % 800);
        let at = DATA_AT + u64::from(slot) * STRIDE;
        self.bench.write(at, &packet.header(payload));
        let (head, more) = (slot * 2, if payload > 0 { NEXT } else { 0 });
        self.describe(true, head, at, 44, more, head + 1);
        self.describe(true, head + 1, at + 64, payload, 0, 0);
        self.push(true, head, 1);
    }

    fn give(&mut self, length: u16) {
        let Some(slot) = self.slot(false) else { return };
        let at = DATA_AT + 0x4000 + u64::from(slot) * STRIDE;
        let head = slot * 2;
        self.describe(false, head, at, 44, NEXT | WRITE, head + 1);
        self.describe(false, head + 1, at + 64, u32::from(length % 900) + 1, WRITE, 0);
        self.push(false, head, 1);
    }

    fn call(&mut self, agent: bool, names: Names) {
        let traffic = &mut self.bench.traffic;
        if agent {
            if let Ok(stream) = traffic.call_agent(names.port()) {
                traffic.agent.ring(stream);
            }
        } else {
            let (cid, port) = names.far();
            let from = SocketAddrV4::new(Ipv4Addr::from_bits(cid as u32), port as u16);
            if let Ok(stream) = traffic.call_tcp(from, names.port() as u16) {
                traffic.tsi.ring(stream);
            }
        }
    }

    fn describe(&self, sends: bool, index: u16, address: u64, length: u32, flags: u16, next: u16) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        self.bench.write(RINGS_AT[usize::from(sends)] + 16 * u64::from(index), &bytes);
    }

    fn push(&mut self, sends: bool, head: u16, jump: u16) {
        let (ring, next) = (RINGS_AT[usize::from(sends)] + 0x400, &mut self.available[usize::from(sends)]);
        let place = ring + 4 + 2 * u64::from(*next % ENTRIES);
        *next = next.wrapping_add(jump);
        let index = *next;
        self.bench.write(place, &head.to_le_bytes());
        self.bench.write(ring + 2, &index.to_le_bytes());
    }
}
