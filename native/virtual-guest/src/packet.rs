//! Packets of virtio-vsock: a header of 44 bytes, little endian, and a payload (virtio 1.3, 5.10.6).

#![forbid(unsafe_code)]

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Length of a header, in bytes.
pub const HEADER: usize = 44;
/// `type` of a stream.
pub const STREAM: u16 = 1;
/// `SHUTDOWN` flag: the sender receives no more.
pub const NO_RECEIVE: u32 = 1;
/// `SHUTDOWN` flag: the sender sends no more.
pub const NO_SEND: u32 = 2;

/// One end of a stream: CID and port. Under TSI, an IPv4 address and a TCP port (`native/PROTOCOL.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Context identifier: a guest, or an IPv4 address.
    pub cid: u64,
    /// Port of vsock.
    pub port: u32,
}

impl Address {
    /// An end by its numbers.
    #[must_use]
    pub const fn new(cid: u64, port: u32) -> Self {
        Self { cid, port }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vsock {}:{}", self.cid, self.port)
    }
}

impl From<SocketAddrV4> for Address {
    fn from(name: SocketAddrV4) -> Self {
        Self { cid: u64::from(name.ip().to_bits()), port: u32::from(name.port()) }
    }
}

impl From<(Ipv4Addr, u16)> for Address {
    fn from((ip, port): (Ipv4Addr, u16)) -> Self {
        SocketAddrV4::new(ip, port).into()
    }
}

impl From<(u64, u32)> for Address {
    fn from((cid, port): (u64, u32)) -> Self {
        Self { cid, port }
    }
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Op {
    /// Call.
    Request = 1,
    /// The call is taken.
    Response = 2,
    /// The call is refused, or the stream is at an end.
    Reset = 3,
    /// Half close, or close.
    Shutdown = 4,
    /// Payload.
    Data = 5,
    /// Nothing but credit.
    CreditUpdate = 6,
    /// Asks for credit.
    CreditRequest = 7,
}

impl Op {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Response,
        Self::Reset,
        Self::Shutdown,
        Self::Data,
        Self::CreditUpdate,
        Self::CreditRequest,
    ];

    /// The operation of a number, if there is one.
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A header, with nothing checked: a hostile guest may put anything into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// Sender.
    pub from: Address,
    /// Receiver.
    pub to: Address,
    /// Length of the payload, in bytes.
    pub length: u32,
    /// Kind of socket; 1 is a stream.
    pub kind: u16,
    /// Operation, see [`Op`].
    pub op: u16,
    /// Flags of the operation.
    pub flags: u32,
    /// Room for this stream at the sender, in bytes.
    pub buf_alloc: u32,
    /// Bytes of this stream that the sender has taken from its room so far, wrapping.
    pub fwd_cnt: u32,
}

impl Header {
    /// A header of a stream, without payload and credit.
    #[must_use]
    pub const fn new(from: Address, to: Address, op: Op) -> Self {
        Self { from, to, length: 0, kind: STREAM, op: op as u16, flags: 0, buf_alloc: 0, fwd_cnt: 0 }
    }

    /// As it stands in memory.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..8].copy_from_slice(&self.from.cid.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.to.cid.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.from.port.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.to.port.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.kind.to_le_bytes());
        bytes[30..32].copy_from_slice(&self.op.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.flags.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.buf_alloc.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.fwd_cnt.to_le_bytes());
        bytes
    }

    /// From memory.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER]) -> Self {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Self {
            from: Address::new(u64_at(0), u32_at(16)),
            to: Address::new(u64_at(8), u32_at(20)),
            length: u32_at(24),
            kind: u16_at(28),
            op: u16_at(30),
            flags: u32_at(32),
            buf_alloc: u32_at(36),
            fwd_cnt: u32_at(40),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_header_survives(bytes in prop::array::uniform32(any::<u8>()), rest in prop::array::uniform12(any::<u8>())) {
            let mut whole = [0; HEADER];
            whole[..32].copy_from_slice(&bytes);
            whole[32..].copy_from_slice(&rest);
            prop_assert_eq!(Header::decode(&whole).encode(), whole);
        }
    }

    #[test]
    fn fields_stand_where_the_standard_says() {
        let to: Address = (Ipv4Addr::new(10, 10, 2, 20), 8080).into();
        let header = Header { buf_alloc: 7, ..Header::new(Address::new(3, 1025), to, Op::Request) };
        let bytes = header.encode();
        assert_eq!(bytes[8..16], [20, 2, 10, 10, 0, 0, 0, 0]);
        assert_eq!((bytes[28], bytes[30], bytes[36]), (1, 1, 7));
        assert_eq!(Op::of(bytes[30].into()), Some(Op::Request));
        assert_eq!((Op::of(0), Op::of(8)), (None, None));
    }
}
