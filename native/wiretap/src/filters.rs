//! What is counted. Offsets: IPv4 (RFC 791) and TCP (RFC 9293) headers, options of both allowed for.

use crate::assembler::{
    Instruction,
    Step::{
        self, AddX, And, Byte, ByteAtX, Half, HalfAtX, HeaderLengthToX, IfAny, IfEqual, ShiftRight, SubX, ToX, WordAtX,
    },
    To::{self, Accept, Next, Reject},
    assemble,
};

/// IP protocol number of TCP.
const TCP: u32 = 6;

/// Flags and fragment offset field: bits of the offset. Only a first fragment has a TCP header.
const FRAGMENT_OFFSET: u32 = 0x1fff;

/// Port of HBONE, as in Istio.
const HBONE_PORT: u32 = 15_008;

/// First four bytes of application plaintext: the payload pattern in any rotation, the raw preamble, HTTP/1.1.
pub const PLAINTEXT: [&[u8; 4]; 8] = [b"dpb!", b"pb!d", b"b!dp", b"!dpb", b"dpb1", b"POST", b"GET ", b"HTTP"];

/// The packet is TCP, and has a TCP header.
const IS_TCP: [Step; 4] = [Byte(9), IfEqual(TCP, Next, Reject), Half(6), IfAny(FRAGMENT_OFFSET, Reject, Next)];

/// X = IP header length + TCP header length (high half of byte 12, in units of 4 bytes).
const HEADERS_TO_X: [Step; 6] = [HeaderLengthToX(0), ByteAtX(12), And(0xf0), ShiftRight(2), AddX, ToX];

/// TCP packets.
#[must_use]
pub fn tcp() -> Vec<Instruction> {
    let [protocol, is_tcp, fragment, _] = IS_TCP;
    assemble(&[protocol, is_tcp, fragment, IfAny(FRAGMENT_OFFSET, Reject, Accept)])
}

/// TCP packets whose payload begins as application plaintext.
#[must_use]
pub fn plaintext() -> Vec<Instruction> {
    let mut steps = IS_TCP.to_vec();
    steps.extend(HEADERS_TO_X);
    steps.push(WordAtX(0));
    let (last, others) = PLAINTEXT.split_last().unwrap_or((&b"dpb!", &[]));
    steps.extend(others.iter().map(|start| IfEqual(u32::from_be_bytes(**start), Accept, Next)));
    steps.push(IfEqual(u32::from_be_bytes(**last), Accept, Reject));
    assemble(&steps)
}

/// TCP packets from or to the HBONE port.
#[must_use]
pub fn hbone() -> Vec<Instruction> {
    let mut steps = IS_TCP.to_vec();
    steps.extend(by_port(Accept, Reject));
    assemble(&steps)
}

/// TCP packets with payload neither from nor to the HBONE port, counted by a filter of their own, since two counters are
/// never read at one moment. Bare control packets do not count: conntrack lets late ones of a redirected connection,
/// which it no longer knows, leave a pod as they are.
#[must_use]
pub fn other() -> Vec<Instruction> {
    let mut steps = IS_TCP.to_vec();
    steps.extend(HEADERS_TO_X);
    steps.extend([Half(2), SubX, IfEqual(0, Reject, Next)]);
    steps.extend(by_port(Reject, Accept));
    assemble(&steps)
}

/// Judges both ports.
const fn by_port(of_hbone: To, of_others: To) -> [Step; 5] {
    [
        HeaderLengthToX(0),
        HalfAtX(0),
        IfEqual(HBONE_PORT, of_hbone, Next),
        HalfAtX(2),
        IfEqual(HBONE_PORT, of_hbone, of_others),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's reading of a program, for the instructions that the assembler knows.
    fn run(program: &[Instruction], packet: &[u8]) -> bool {
        let (mut a, mut x, mut at) = (0_u32, 0_u32, 0);
        let load = |from: u32, size: usize| {
            let from = from as usize;
            packet.get(from..from + size).map(|bytes| bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)))
        };
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let loaded = match code {
                0x30 => load(k, 1),
                0x28 => load(k, 2),
                0x50 => load(x + k, 1),
                0x48 => load(x + k, 2),
                0x40 => load(x + k, 4),
                _ => Some(a),
            };
            let Some(loaded) = loaded else { return false };
            a = loaded;
            match code {
                0xb1 => x = 4 * (u32::from(packet[k as usize]) & 0xf),
                0x54 => a &= k,
                0x74 => a >>= k,
                0x0c => a += x,
                0x1c => a = a.wrapping_sub(x),
                0x07 => x = a,
                0x15 => at += usize::from(if a == k { jt } else { jf }),
                0x45 => at += usize::from(if a & k != 0 { jt } else { jf }),
                0x06 => return k != 0,
                _ => {}
            }
        }
    }

    /// A packet with so many bytes of IP and TCP options.
    fn packet(protocol: u8, ip_options: usize, tcp_options: usize, ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 20 + ip_options];
        bytes[0] = 0x40 | ((20 + ip_options) / 4) as u8;
        bytes[9] = protocol;
        let mut tcp = vec![0; 20 + tcp_options];
        tcp[..2].copy_from_slice(&ports[0].to_be_bytes());
        tcp[2..4].copy_from_slice(&ports[1].to_be_bytes());
        tcp[12] = (((20 + tcp_options) / 4) << 4) as u8;
        bytes.extend(tcp);
        bytes.extend_from_slice(payload);
        let length = (bytes.len() as u16).to_be_bytes();
        bytes[2..4].copy_from_slice(&length);
        bytes
    }

    fn judge(packet: &[u8]) -> [bool; 3] {
        [run(&tcp(), packet), run(&plaintext(), packet), run(&hbone(), packet)]
    }

    const PORTS: [u16; 2] = [40_000, 8080];

    #[test]
    fn plaintext_is_told_whatever_options_stand_before_it() {
        for ip_options in [0, 4, 40] {
            for tcp_options in [0, 12, 40] {
                for start in [
                    &b"POST /echo"[..],
                    b"GET / HTTP",
                    b"HTTP/1.1 200",
                    b"dpb!dpb!",
                    b"pb!dpb!",
                    b"b!dpb",
                    b"!dpb",
                    b"dpb1e\0\0\0",
                ] {
                    let bytes = packet(6, ip_options, tcp_options, PORTS, start);
                    assert_eq!(judge(&bytes), [true, true, false], "{ip_options} {tcp_options} {start:?}");
                }
            }
        }
    }

    #[test]
    fn everything_else_is_not_plaintext() {
        for payload in [&b"\x17\x03\x03\x00\x40dpb!"[..], b"", b"dpb", b"xPOST", b"PRI * HTTP/2.0"] {
            assert_eq!(judge(&packet(6, 0, 12, PORTS, payload)), [true, false, false], "{payload:?}");
        }
    }

    #[test]
    fn other_protocols_and_later_fragments_do_not_count() {
        assert_eq!(judge(&packet(17, 0, 0, [15_008, 53], b"dpb!")), [false; 3]);
        let mut later = packet(6, 0, 0, [15_008, 1], b"dpb!");
        later[7] = 185;
        assert_eq!(judge(&later), [false; 3]);
        let mut first = packet(6, 0, 0, PORTS, b"dpb!");
        first[6] = 0x20;
        assert_eq!(judge(&first), [true, true, false]);
    }

    #[test]
    fn hbone_is_told_by_either_port() {
        assert_eq!(judge(&packet(6, 8, 0, [15_008, 40_000], b"\x17\x03\x03")), [true, false, true]);
        assert_eq!(judge(&packet(6, 0, 0, [40_000, 15_008], b"")), [true, false, true]);
        assert_eq!(judge(&packet(6, 0, 0, [15_006, 15_009], b"")), [true, false, false]);
    }

    #[test]
    fn payload_outside_hbone_counts_as_other_and_bare_control_packets_do_not() {
        for (ip_options, tcp_options) in [(0, 0), (4, 12), (40, 40)] {
            let judge =
                |protocol, ports, payload| run(&other(), &packet(protocol, ip_options, tcp_options, ports, payload));
            assert!(judge(6, PORTS, &b"x"[..]));
            assert!(!judge(6, PORTS, b""));
            assert!(!judge(6, [15_008, 1], b"x"));
            assert!(!judge(6, [1, 15_008], b"x"));
            assert!(!judge(17, PORTS, b"x"));
        }
    }
}
