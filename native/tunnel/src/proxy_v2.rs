//! PROXY protocol version 2 (haproxy's proxy-protocol.txt, section 2.2), the part that TCP over IPv4 needs.

#![forbid(unsafe_code)]

use std::net::SocketAddrV4;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Two addresses and two ports.
const ADDRESSES: usize = 12;
/// Longest header taken, in bytes: addresses and some type-length-values, which are skipped.
pub const LONGEST: usize = 536;

/// Source and destination of the connection that a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Who called.
    pub from: SocketAddrV4,
    /// Whom it called.
    pub to: SocketAddrV4,
}

/// Why a beginning is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first bytes are not the protocol's.
    #[error("does not begin with the signature of PROXY v2")]
    Signature,
    /// Another version, or LOCAL.
    #[error("version and command are {0:#04x}, not 0x21 (version 2, PROXY)")]
    Command(u8),
    /// Not TCP over IPv4.
    #[error("address family and protocol are {0:#04x}, not 0x11 (TCP over IPv4)")]
    Family(u8),
    /// Too short for its addresses, or longer than is taken.
    #[error("announces {0} bytes after its length, not 12 to 520")]
    Length(u16),
}

/// The header.
#[must_use]
pub fn write(announced: Announced) -> [u8; FIXED + ADDRESSES] {
    let Announced { from, to } = announced;
    let mut header = [0; FIXED + ADDRESSES];
    header[..12].copy_from_slice(&SIGNATURE);
    header[12] = VERSION_2_PROXY;
    header[13] = TCP_OVER_IPV4;
    header[14..16].copy_from_slice(&(ADDRESSES as u16).to_be_bytes());
    header[16..20].copy_from_slice(&from.ip().octets());
    header[20..24].copy_from_slice(&to.ip().octets());
    header[24..26].copy_from_slice(&from.port().to_be_bytes());
    header[26..28].copy_from_slice(&to.port().to_be_bytes());
    header
}

/// Reads a header from the beginning of a stream; `None` while it is incomplete. Also says how many bytes it has.
///
/// # Errors
/// As soon as the bytes cannot become a header that this proxy takes.
pub fn parse(bytes: &[u8]) -> Result<Option<(Announced, usize)>, Malformed> {
    let seen = bytes.len().min(SIGNATURE.len());
    if bytes[..seen] != SIGNATURE[..seen] {
        return Err(Malformed::Signature);
    }
    match bytes.get(12) {
        Some(&command) if command != VERSION_2_PROXY => return Err(Malformed::Command(command)),
        _ => {}
    }
    match bytes.get(13) {
        Some(&family) if family != TCP_OVER_IPV4 => return Err(Malformed::Family(family)),
        _ => {}
    }
    let Some(length) = bytes.get(14..16) else { return Ok(None) };
    let length = u16::from_be_bytes([length[0], length[1]]);
    let total = FIXED + usize::from(length);
    if usize::from(length) < ADDRESSES || total > LONGEST {
        return Err(Malformed::Length(length));
    }
    Ok(bytes.get(..total).map(|header| (addresses(header), total)))
}

fn addresses(header: &[u8]) -> Announced {
    let address = |at: usize| <[u8; 4]>::try_from(&header[at..at + 4]).unwrap_or_default();
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    Announced {
        from: SocketAddrV4::new(address(16).into(), port(24)),
        to: SocketAddrV4::new(address(20).into(), port(26)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn announced() -> impl Strategy<Value = Announced> {
        any::<([u8; 4], u16, [u8; 4], u16)>().prop_map(|(from, from_port, to, to_port)| Announced {
            from: SocketAddrV4::new(from.into(), from_port),
            to: SocketAddrV4::new(to.into(), to_port),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_no_byte_more(one in announced(), rest in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = write(one).to_vec();
            bytes.extend(rest);
            prop_assert_eq!(parse(&bytes), Ok(Some((one, 28))));
        }

        #[test]
        fn every_beginning_of_a_header_waits_for_the_rest(one in announced(), length in 0usize..28) {
            prop_assert_eq!(parse(&write(one)[..length]), Ok(None));
        }

        #[test]
        fn values_after_the_addresses_are_skipped(one in announced(), values in proptest::collection::vec(any::<u8>(), 0..508)) {
            let mut bytes = write(one).to_vec();
            bytes[14..16].copy_from_slice(&(12 + values.len() as u16).to_be_bytes());
            bytes.extend(&values);
            prop_assert_eq!(parse(&bytes), Ok(Some((one, bytes.len()))));
        }

        #[test]
        fn a_changed_byte_of_the_fixed_part_is_refused(one in announced(), at in 0usize..14, by in 1u8..) {
            let mut bytes = write(one);
            bytes[at] ^= by;
            prop_assert!(parse(&bytes).is_err());
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_header_without_room_for_addresses_or_too_long_is_refused() {
        let one = Announced { from: "1.2.3.4:5".parse().unwrap(), to: "6.7.8.9:10".parse().unwrap() };
        for wrong in [0u16, 11, 521, u16::MAX] {
            let mut bytes = write(one);
            bytes[14..16].copy_from_slice(&wrong.to_be_bytes());
            assert_eq!(parse(&bytes), Err(Malformed::Length(wrong)));
        }
    }
}
