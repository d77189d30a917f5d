//! vhost-user messages: numbers, header, and fields of a body (QEMU's `docs/interop/vhost-user.rst`).

#![forbid(unsafe_code)]

use crate::breach::Breach;
use rustix::fd::OwnedFd;

/// Bytes of a message's header: request, flags, size of the body.
pub const HEADER: usize = 12;
/// Bytes of the longest body taken; SET_MEM_TABLE with 32 regions has 1,032.
pub const LONGEST_BODY: usize = 4096;
/// Descriptors of one message.
pub const DESCRIPTORS: usize = 32;

/// Version 1 in the lower two bits of the flags, and the mark of an answer.
pub const ANSWER: u32 = 0b101;
/// The front end wants an answer even to a request that has none of its own.
const NEEDS_ANSWER: u32 = 1 << 3;

/// Requests by their numbers.
pub mod request {
    #![allow(missing_docs)]
    pub const GET_FEATURES: u32 = 1;
    pub const SET_FEATURES: u32 = 2;
    pub const SET_OWNER: u32 = 3;
    pub const RESET_OWNER: u32 = 4;
    pub const SET_MEM_TABLE: u32 = 5;
    pub const SET_VRING_NUM: u32 = 8;
    pub const SET_VRING_ADDR: u32 = 9;
    pub const SET_VRING_BASE: u32 = 10;
    pub const GET_VRING_BASE: u32 = 11;
    pub const SET_VRING_KICK: u32 = 12;
    pub const SET_VRING_CALL: u32 = 13;
    pub const SET_VRING_ERR: u32 = 14;
    pub const GET_PROTOCOL_FEATURES: u32 = 15;
    pub const SET_PROTOCOL_FEATURES: u32 = 16;
    pub const GET_QUEUE_NUM: u32 = 17;
    pub const SET_VRING_ENABLE: u32 = 18;
    pub const SET_BACKEND_REQ_FD: u32 = 21;
    pub const GET_CONFIG: u32 = 24;
    pub const SET_CONFIG: u32 = 25;
    pub const RESET_DEVICE: u32 = 34;
}

/// Features of virtio and vhost-user that this device knows.
pub mod feature {
    /// Descriptors may point to a table of descriptors.
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// Notifications are asked for by index.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// vhost-user: protocol features are negotiated.
    pub const PROTOCOL_FEATURES: u64 = 1 << 30;
    /// virtio 1.0 and later.
    pub const VERSION_1: u64 = 1 << 32;

    /// Protocol feature: number of rings can be asked for.
    pub const MQ: u64 = 1 << 0;
    /// Protocol feature: any request can be acknowledged.
    pub const REPLY_ACK: u64 = 1 << 3;
    /// Protocol feature: a socket for requests of the back end.
    pub const BACKEND_REQ: u64 = 1 << 5;
    /// Protocol feature: the back end holds the configuration space.
    pub const CONFIG: u64 = 1 << 9;
    /// Protocol feature: RESET_DEVICE.
    pub const RESET_DEVICE: u64 = 1 << 13;
}

/// One request of the front end.
#[derive(Debug)]
pub struct Message {
    /// Its number, see [`request`].
    pub request: u32,
    flags: u32,
    /// Its body.
    pub body: Vec<u8>,
    /// Descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
}

impl Message {
    /// A message of a header and what followed it.
    #[must_use]
    pub fn new(header: &[u8; HEADER], body: Vec<u8>, descriptors: Vec<OwnedFd>) -> Self {
        let [request, flags, _] = words(header);
        Self { request, flags, body, descriptors }
    }

    /// An answer is wanted even if the request has none of its own.
    #[must_use]
    pub fn needs_answer(&self) -> bool {
        self.flags & NEEDS_ANSWER != 0
    }

    /// The 32-bit number at a place of the body.
    ///
    /// # Errors
    /// When the body ends before.
    pub fn u32(&self, at: usize) -> Result<u32, Breach> {
        self.bytes(at).map(u32::from_ne_bytes)
    }

    /// The 64-bit number at a place of the body.
    ///
    /// # Errors
    /// When the body ends before.
    pub fn u64(&self, at: usize) -> Result<u64, Breach> {
        self.bytes(at).map(u64::from_ne_bytes)
    }

    /// What is wrong with this message, as the reason to close the device.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Breach {
        Breach::Message { request: self.request, what: what.into() }
    }

    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], Breach> {
        let part = self.body.get(at..).and_then(|rest| rest.first_chunk());
        part.copied().ok_or_else(|| self.fault(format!("{} bytes are too few", self.body.len())))
    }
}

/// Bytes of the body that a header announces.
#[must_use]
pub fn body_length(header: &[u8; HEADER]) -> usize {
    words(header)[2] as usize
}

/// An answer to a request.
#[must_use]
pub fn answer(request: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("answers are no longer than requests");
    [&request.to_ne_bytes(), &ANSWER.to_ne_bytes(), &length.to_ne_bytes(), body].concat()
}

fn words(header: &[u8; HEADER]) -> [u32; 3] {
    std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| header[4 * word + byte])))
}
