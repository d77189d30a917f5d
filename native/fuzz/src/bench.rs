//! The device on the bench: a front end that has attached properly, and whose memory and rings are the fuzzer's.

use crate::moody::Moody;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::cell::RefCell;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use vm_memory::{Bytes, GuestAddress};
use vsock_tsi::breach::Breach;
use vsock_tsi::config::{DeviceConfig, GuestConfig, Service};
use vsock_tsi::control::channel::Channel;
use vsock_tsi::control::message::{feature, request};
use vsock_tsi::control::session::Session;
use vsock_tsi::device::Device;
use vsock_tsi::traffic::Traffic;

/// Entries of each ring.
pub const ENTRIES: u16 = 16;
/// Bytes of the guest's memory.
pub const MEMORY: u64 = 0x1_0000;
/// Where the rings lie, each with its available and used parts 0x400 and 0x800 further on.
pub const RINGS_AT: [u64; 3] = [0, 0x1000, 0x2000];
/// First byte that belongs to no ring.
pub const DATA_AT: u64 = 0x3000;
/// The guest's address.
pub const CID: u32 = 3;

/// Where the front end has its memory.
const FRONT_END: u64 = 0x7000_0000;

/// A front end that has attached, and its end of the control socket. To attach takes longer than all that follows, so
/// it is used again with its memory and rings as new: one without events by index, one with.
type Attached = (Session, UnixStream);

thread_local! {
    static SPARE: RefCell<[Option<Attached>; 2]> = const { RefCell::new([None, None]) };
}

/// A device with a guest attached.
pub struct Bench {
    /// The device.
    pub device: Device,
    /// Its streams.
    pub traffic: Traffic<Moody, Moody>,
    /// Kept so that the front end does not go.
    front_end: Option<UnixStream>,
}

impl Bench {
    /// Attaches a guest whose far side has these moods.
    ///
    /// # Panics
    /// When the device does not go along with a proper front end.
    #[must_use]
    pub fn new(moods: &[u8], event_idx: bool) -> Self {
        let spare = SPARE.with_borrow_mut(|spare| spare[usize::from(event_idx)].take());
        let (mut session, front_end) = spare.unwrap_or_else(|| attach(event_idx));
        let memory = session.memory.as_ref().expect("shared while attaching");
        memory.map.write_slice(&[0; MEMORY as usize], GuestAddress(0)).expect("all of it is there");
        session.rings.iter_mut().for_each(|ring| ring.set_base(0));
        Self { front_end: Some(front_end), ..Self::with(session, moods) }
    }

    /// A device with a front end that has attached in its own way.
    #[must_use]
    pub fn with(session: Session, moods: &[u8]) -> Self {
        let mut device = Device::default();
        device.attach(session);
        let mut traffic = Traffic::new(&config(), Moody::new(moods), Moody::new(moods));
        traffic.attach(0);
        Self { device, traffic, front_end: None }
    }

    /// Writes to the guest's memory; what lies outside is left out.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        let memory = self.device.session.as_ref().and_then(|session| session.memory.as_ref());
        if let Some(memory) = memory {
            let _outside = memory.map.write_slice(bytes, GuestAddress(at));
        }
    }

    /// Chains that the device has given back in the ring at this place, modulo 2¹⁶.
    #[must_use]
    pub fn used(&self, ring_at: u64) -> u16 {
        let memory = self.device.session.as_ref().and_then(|session| session.memory.as_ref());
        memory.and_then(|memory| memory.map.read_obj(GuestAddress(ring_at + 0x802)).ok()).unwrap_or(0)
    }

    /// Lets the device work as its owner does.
    ///
    /// # Errors
    /// When the guest broke the rules.
    pub fn run(&mut self) -> Result<(), Breach> {
        for _ in 0..4 {
            let from_guest = self.device.take_packets(0, &mut self.traffic)?;
            self.traffic.flush().map_err(Breach::Uplink)?;
            let to_guest = self.device.put_packets(0, &mut self.traffic, true)?;
            if !(from_guest || to_guest || self.device.listen()?) {
                break;
            }
        }
        Ok(())
    }

    /// The guest goes: every stream must end at the far side.
    ///
    /// # Panics
    /// When one does not.
    pub fn end(mut self) {
        if let (Some(session), Some(front_end)) = (self.device.session.take(), self.front_end.take()) {
            let place = usize::from(session.event_idx());
            SPARE.with_borrow_mut(|spare| spare[place] = Some((session, front_end)));
        }
        self.device.detach();
        self.traffic.detach(0);
        assert_eq!((self.traffic.tsi.live(), self.traffic.agent.live()), (0, 0), "streams are left behind");
        assert_eq!(self.traffic.snapshot().outbound.open, 0);
    }
}

fn config() -> GuestConfig {
    GuestConfig {
        name: "guest".into(),
        cid: CID,
        address: [10, 10, 1, 10].into(),
        devices: vec![DeviceConfig { socket: "".into(), services: vec![Service::Agent, Service::Tsi] }],
        hybrid: None,
        outbound: None,
        inbound: None,
        inbound_ports: Vec::new(),
    }
}

fn attach(event_idx: bool) -> Attached {
    let (near, front_end) = UnixStream::pair().expect("a pair of sockets");
    near.set_nonblocking(true).expect("fcntl");
    let mut session = Session::new(Channel::new(near.into()), CID);
    introduce(&front_end, event_idx);
    while session.converse().expect("a proper front end").is_some() {}
    (session, front_end)
}

/// Says all that a proper front end says.
fn introduce(front_end: &UnixStream, event_idx: bool) {
    let say = |number: u32, words: &[u64], descriptor: Option<&OwnedFd>| {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        send(
            front_end,
            [number, 1, body.len() as u32],
            &body,
            &descriptor.map(AsFd::as_fd).into_iter().collect::<Vec<_>>(),
        );
    };
    let pair = |ring: u32, value: u32| u64::from(ring) | u64::from(value) << 32;
    let memory = memfd_create("guest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memfd");
    ftruncate(&memory, MEMORY).expect("ftruncate");
    let counter = || rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).expect("eventfd");
    let events = if event_idx { feature::EVENT_IDX } else { 0 };
    say(
        request::SET_FEATURES,
        &[feature::VERSION_1 | feature::PROTOCOL_FEATURES | feature::INDIRECT_DESC | events],
        None,
    );
    say(request::SET_MEM_TABLE, &[1, 0, MEMORY, FRONT_END, 0], Some(&memory));
    for (ring, at) in (0_u32..).zip(RINGS_AT.map(|at| at + FRONT_END)) {
        say(request::SET_VRING_NUM, &[pair(ring, ENTRIES.into())], None);
        say(request::SET_VRING_ADDR, &[pair(ring, 0), at, at + 0x800, at + 0x400, 0], None);
        say(request::SET_VRING_CALL, &[ring.into()], Some(&counter()));
        say(request::SET_VRING_KICK, &[ring.into()], Some(&counter()));
        say(request::SET_VRING_ENABLE, &[pair(ring, 1)], None);
    }
}

/// Sends a message with any header, body and descriptors.
pub fn send(front_end: &UnixStream, header: [u32; 3], body: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.extend_from_slice(body);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _gone = sendmsg(front_end, &[IoSlice::new(&bytes)], &mut ancillary, flags);
}
