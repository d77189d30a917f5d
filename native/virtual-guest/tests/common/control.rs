//! vhost-user messages by hand: any number, any length, any descriptors.

use super::Scene;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub const GET_FEATURES: u32 = 1;
pub const SET_FEATURES: u32 = 2;
pub const SET_OWNER: u32 = 3;
pub const SET_MEM_TABLE: u32 = 5;
pub const SET_VRING_NUM: u32 = 8;
pub const SET_VRING_ADDR: u32 = 9;
pub const SET_VRING_BASE: u32 = 10;
pub const GET_VRING_BASE: u32 = 11;
pub const SET_VRING_KICK: u32 = 12;
pub const SET_VRING_CALL: u32 = 13;
pub const SET_PROTOCOL_FEATURES: u32 = 16;
pub const SET_VRING_ENABLE: u32 = 18;
pub const GET_CONFIG: u32 = 24;

/// VERSION_1, PROTOCOL_FEATURES, EVENT_IDX.
pub const FEATURES: u64 = 1 << 32 | 1 << 30 | 1 << 29;

/// A front end that says what it likes.
pub struct Control {
    pub socket: UnixStream,
}

impl Control {
    pub fn connect(path: &Path) -> Self {
        let socket = UnixStream::connect(path).expect("the device listens");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        Self { socket }
    }

    /// A message with a header of its own.
    pub fn say_raw(&self, header: [u32; 3], body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(body);
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
        }
        sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// A well-formed message that wants no answer.
    pub fn say(&self, request: u32, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.say_raw([request, 1, body.len() as u32], body, descriptors)
    }

    /// A well-formed message and its answer.
    pub fn ask(&mut self, request: u32, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<Vec<u8>> {
        self.say_raw([request, 1 | 8, body.len() as u32], body, descriptors)?;
        let mut header = [0; 12];
        self.socket.read_exact(&mut header)?;
        let length = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let mut answer = vec![0; length as usize];
        self.socket.read_exact(&mut answer)?;
        Ok(answer)
    }

    /// The device closes this conversation.
    pub fn ends(&mut self) -> bool {
        loop {
            match self.socket.read(&mut [0; 256]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// As far as a proper front end goes before it shares its memory.
    pub fn introduce(&mut self) {
        self.say(SET_OWNER, &[], &[]).expect("SET_OWNER");
        self.say(SET_FEATURES, &FEATURES.to_ne_bytes(), &[]).expect("SET_FEATURES");
        self.say(SET_PROTOCOL_FEATURES, &(1_u64 << 3).to_ne_bytes(), &[]).expect("SET_PROTOCOL_FEATURES");
    }
}

/// Memory to share, of so many bytes, that may or may not be cut off later.
pub fn memory(bytes: u64, sealed: bool) -> OwnedFd {
    let file = memfd_create("hostile", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memfd");
    ftruncate(&file, bytes).expect("ftruncate");
    if sealed {
        fcntl_add_seals(&file, SealFlags::SEAL).expect("sealing");
    }
    file
}

pub fn counter() -> OwnedFd {
    rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("eventfd")
}

/// SET_MEM_TABLE: regions of (guest address, bytes, front end's address, offset in the file).
pub fn regions(list: &[[u64; 4]]) -> Vec<u8> {
    let mut body = [(list.len() as u32).to_ne_bytes(), [0; 4]].concat();
    body.extend(list.iter().flatten().flat_map(|word| word.to_ne_bytes()));
    body
}

pub fn pair(first: u32, second: u32) -> Vec<u8> {
    [first.to_ne_bytes(), second.to_ne_bytes()].concat()
}

/// SET_VRING_ADDR.
pub fn addresses(ring: u32, table: u64, used: u64, available: u64) -> Vec<u8> {
    let mut body = pair(ring, 0);
    body.extend([table, used, available, 0].iter().flat_map(|word| word.to_ne_bytes()));
    body
}

/// The same descriptor many times.
pub fn many<'f>(file: &'f impl AsFd, count: usize) -> Vec<BorrowedFd<'f>> {
    vec![file.as_fd(); count]
}

/// Lets a front end say something, and looks afterwards whether all others are served. Each part of `because` that
/// is given must be in the reason of the closing; none if the device may bear it.
pub fn attack(scene: &mut Scene, because: Option<&str>, attack: impl FnOnce(&mut Control)) {
    let mut control = Control::connect(&scene.socket("vhost", 0));
    attack(&mut control);
    if let Some(because) = because {
        assert!(control.ends(), "the device goes on to listen to a front end that broke the rules ({because})");
        let stats = scene.stats_when(0, |stats| stats["connected"] == false);
        let closed = stats["closed"].as_str().unwrap_or_default();
        assert!(closed.contains(because), "closed because of «{closed}», not «{because}»");
    }
    drop(control);
    scene.stats_when(0, |stats| stats["connected"] == false);
}
