//! PROXY protocol version 2 (HAProxy's `proxy-protocol.txt`): TCP over IPv4, which is all that TSI moves.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of a header without additions.
pub const LENGTH: usize = 28;
/// Longest header taken; what follows the addresses is skipped.
pub const LONGEST: usize = 1024;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, a connection in somebody's name.
const PROXY: u8 = 0x21;
/// TCP over IPv4.
const TCP4: u8 = 0x11;
/// Signature, version, family, length.
const FIXED: usize = 16;
/// Two addresses, two ports.
const ADDRESSES: usize = 12;

/// A header that has arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The caller.
    pub from: SocketAddrV4,
    /// Whom it called.
    pub to: SocketAddrV4,
    /// Bytes of the header.
    pub length: usize,
}

/// Not a header of TCP over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PROXY v2 header of TCP over IPv4")]
pub struct Malformed;

/// A header.
#[must_use]
pub fn header(from: SocketAddrV4, to: SocketAddrV4) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..12].copy_from_slice(&SIGNATURE);
    bytes[12..FIXED].copy_from_slice(&[PROXY, TCP4, 0, ADDRESSES as u8]);
    bytes[16..20].copy_from_slice(&from.ip().octets());
    bytes[20..24].copy_from_slice(&to.ip().octets());
    bytes[24..26].copy_from_slice(&from.port().to_be_bytes());
    bytes[26..28].copy_from_slice(&to.port().to_be_bytes());
    bytes
}

/// Reads a header from the beginning of a stream; `None` until all of it is there.
///
/// # Errors
/// As soon as the bytes can be no such header.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    let wrong = |at: usize, allowed: u8| bytes.get(at).is_some_and(|&byte| byte != allowed);
    if bytes[..known] != SIGNATURE[..known] || wrong(12, PROXY) || wrong(13, TCP4) {
        return Err(Malformed);
    }
    let Some(&[high, low]) = bytes.get(14..FIXED).and_then(|length| length.first_chunk()) else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if !(LENGTH..=LONGEST).contains(&length) {
        return Err(Malformed);
    }
    let Some(header) = bytes.get(..length) else { return Ok(None) };
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let name = |at: usize, port_at: usize| {
        SocketAddrV4::new(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]), port(port_at))
    };
    Ok(Some(Header { from: name(16, 24), to: name(20, 26), length }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let from = "10.10.1.10:1025".parse().unwrap();
        let bytes = header(from, "10.10.2.20:8080".parse().unwrap());
        assert_eq!(&bytes[..16], b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x21\x11\x00\x0C");
        assert_eq!(bytes[16..], [10, 10, 1, 10, 10, 10, 2, 20, 4, 1, 0x1f, 0x90]);
    }

    #[test]
    fn additions_are_skipped_and_other_families_refused() {
        let (from, to) = ("1.2.3.4:5".parse().unwrap(), "6.7.8.9:10".parse().unwrap());
        let mut bytes = header(from, to).to_vec();
        bytes[15] = 12 + 7;
        bytes.extend([0x04, 0, 4, 1, 2, 3, 4]);
        bytes.extend(b"payload");
        assert_eq!(parse(&bytes), Ok(Some(Header { from, to, length: 35 })));
        for (at, byte) in [(0, b'P'), (12, 0x20), (13, 0x21), (13, 0x12), (14, 0xff)] {
            let mut bad = header(from, to);
            bad[at] = byte;
            assert_eq!(parse(&bad), Err(Malformed), "byte {at}");
        }
        let mut short = header(from, to);
        short[15] = 11;
        assert_eq!(parse(&short), Err(Malformed));
    }

    proptest! {
        #[test]
        fn a_header_in_pieces_is_waited_for(from: (u32, u16), to: (u32, u16), cut in 0..LENGTH) {
            let name = |(address, port): (u32, u16)| SocketAddrV4::new(address.into(), port);
            let (from, to) = (name(from), name(to));
            let bytes = header(from, to);
            prop_assert_eq!(parse(&bytes[..cut]), Ok(None));
            prop_assert_eq!(parse(&bytes), Ok(Some(Header { from, to, length: LENGTH })));
        }

        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut with_signature = SIGNATURE.to_vec();
            with_signature.extend(&bytes);
            let _any = (parse(&bytes), parse(&with_signature));
        }
    }
}
