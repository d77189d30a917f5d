//! The conversation as front ends hold it, message by message.

use super::*;
use crate::control::message::HEADER;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

const NEEDS_ANSWER: u32 = 1 | 1 << 3;

struct FrontEnd {
    socket: UnixStream,
    session: Session,
}

impl FrontEnd {
    fn new() -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        Self { socket: far, session: Session::new(Channel::new(near.into()), 0x1234) }
    }

    fn say(&mut self, request: u32, flags: u32, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<Change, Breach> {
        let header = [request, flags, body.len() as u32].map(u32::to_ne_bytes).concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
        }
        let parts = [IoSlice::new(&header), IoSlice::new(body)];
        sendmsg(&self.socket, &parts, &mut ancillary, SendFlags::empty()).unwrap();
        self.session.converse().map(|change| change.expect("a whole message"))
    }

    fn answer(&mut self, request: u32) -> Option<Vec<u8>> {
        let mut bytes = [0; 4096];
        let length = self.socket.read(&mut bytes).ok()?;
        let header: Vec<u32> =
            bytes[..HEADER].chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect();
        assert_eq!(header, [request, 0b101, (length - HEADER) as u32]);
        Some(bytes[HEADER..length].to_vec())
    }

    fn ask(&mut self, request: u32, body: &[u8]) -> Vec<u8> {
        self.say(request, 1, body, &[]).unwrap();
        self.answer(request).expect("an answer")
    }
}

fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn ring_words(ring: u32, value: u32) -> Vec<u8> {
    [ring.to_ne_bytes(), value.to_ne_bytes()].concat()
}

fn memory() -> OwnedFd {
    let file = memfd_create("guest", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, 1 << 20).unwrap();
    file
}

#[test]
fn a_front_end_sets_up_a_ring() {
    let mut front = FrontEnd::new();
    let features = u64::from_ne_bytes(front.ask(request::GET_FEATURES, &[]).try_into().unwrap());
    for bit in [28, 29, 30, 32] {
        assert!(features & 1 << bit != 0, "feature {bit}");
    }
    front.say(request::SET_FEATURES, 1, &words(&[features]), &[]).unwrap();
    assert!(front.session.event_idx());
    let protocol = u64::from_ne_bytes(front.ask(request::GET_PROTOCOL_FEATURES, &[]).try_into().unwrap());
    assert_eq!(protocol & (1 << 3 | 1 << 5 | 1 << 9), 1 << 3 | 1 << 5 | 1 << 9);
    assert_eq!(front.ask(request::GET_QUEUE_NUM, &[]), words(&[3]));
    let file = memory();
    front.say(request::SET_MEM_TABLE, 1, &words(&[1, 0, 1 << 20, 0x5000, 0]), &[file.as_fd()]).unwrap();
    front.say(request::SET_VRING_NUM, 1, &ring_words(1, 128), &[]).unwrap();
    front.say(request::SET_VRING_BASE, 1, &ring_words(1, 0), &[]).unwrap();
    front.say(request::SET_VRING_ADDR, 1, &words(&[1, 0x6000, 0x8000, 0x7000, 0]), &[]).unwrap();
    let counter = eventfd(0, EventfdFlags::empty()).unwrap();
    front.say(request::SET_VRING_CALL, 1, &words(&[1]), &[counter.as_fd()]).unwrap();
    assert_eq!(front.say(request::SET_VRING_KICK, 1, &words(&[1]), &[counter.as_fd()]).unwrap(), Change::Kick(1));
    let Session { memory, rings, .. } = &mut front.session;
    assert!(!rings[1].ready(memory.as_ref().unwrap(), true).unwrap(), "not yet enabled");
    front.say(request::SET_VRING_ENABLE, NEEDS_ANSWER, &ring_words(1, 1), &[]).unwrap();
    assert_eq!(front.answer(request::SET_VRING_ENABLE), Some(words(&[0])));
    let Session { memory, rings, .. } = &mut front.session;
    assert!(rings[1].ready(memory.as_ref().unwrap(), true).unwrap());
    assert_eq!(front.ask(request::GET_VRING_BASE, &ring_words(1, 0)), ring_words(1, 0));
    let Session { memory, rings, .. } = &mut front.session;
    assert!(!rings[1].ready(memory.as_ref().unwrap(), true).unwrap(), "stopped");
    assert_eq!(front.say(request::RESET_OWNER, 1, &[], &[]).unwrap(), Change::Reset);
}

#[test]
fn user_mode_linux_sends_room_for_two_regions_with_one() {
    let mut front = FrontEnd::new();
    let file = memory();
    let body = words(&[1, 0, 1 << 20, 0x5000, 0, 0, 0, 0, 0]);
    assert_eq!(body.len(), 72);
    front.say(request::SET_MEM_TABLE, 1, &body, &[file.as_fd()]).unwrap();
    assert!(front.session.memory.as_ref().unwrap().guest_address(0x5000, 1 << 20).is_some());
    let (near, far) = UnixStream::pair().unwrap();
    front.say(request::SET_BACKEND_REQ_FD, 1, &[], &[near.as_fd()]).unwrap();
    drop(near);
    far.set_nonblocking(true).unwrap();
    let error = (&far).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "its copy stays open");
}

#[test]
fn the_configuration_space_is_the_cid() {
    let mut front = FrontEnd::new();
    let ask = |offset: u32, size: u32| {
        [offset.to_ne_bytes(), size.to_ne_bytes(), [0; 4]]
            .concat()
            .into_iter()
            .chain(vec![9; size as usize])
            .collect::<Vec<u8>>()
    };
    assert_eq!(front.ask(request::GET_CONFIG, &ask(0, 8))[12..], 0x1234_u64.to_le_bytes());
    assert_eq!(front.ask(request::GET_CONFIG, &ask(1, 4))[12..], [0x12, 0, 0, 0]);
    assert_eq!(front.ask(request::GET_CONFIG, &ask(u32::MAX, 2))[12..], [0, 0]);
    assert!(front.say(request::GET_CONFIG, 1, &ask(0, 8)[..15], &[]).is_err());
}

#[test]
fn messages_that_break_the_rules_close_the_device_with_a_reason() {
    let file = memory();
    let cases: [(u32, Vec<u8>, usize, &str); 9] = [
        (99, vec![], 0, "not known"),
        (request::SET_FEATURES, words(&[1 << 34]), 0, "not offered"),
        (request::SET_FEATURES, vec![1], 0, "too few"),
        (request::SET_VRING_NUM, ring_words(3, 128), 0, "no ring 3"),
        (request::SET_VRING_NUM, ring_words(0, 100), 0, "power of two"),
        (request::SET_VRING_BASE, ring_words(0, 65_536), 0, "beyond 65535"),
        (request::SET_MEM_TABLE, words(&[2, 0, 1 << 20, 0, 0]), 1, "2 regions with 1"),
        (request::SET_MEM_TABLE, words(&[1, 0, 1 << 21, 0, 0]), 1, "ends before"),
        (request::SET_VRING_KICK, words(&[0x101]), 0, "not polled"),
    ];
    for (request, body, descriptors, expected) in cases {
        let mut front = FrontEnd::new();
        let error = front.say(request, 1, &body, &vec![file.as_fd(); descriptors]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}
