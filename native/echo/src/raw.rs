//! The raw TCP protocol as a server: bytes in, bytes out.

use crate::http::{Ending, Fed};
use wire::ACK_EVERY;
use wire::preamble::{self, Operation};

/// State of one raw connection.
#[derive(Debug)]
pub enum Raw {
    /// The preamble has not come yet, or not all of it.
    Preamble {
        /// What has come.
        bytes: [u8; preamble::LEN],
        /// How much of it.
        length: usize,
    },
    /// Sends back everything.
    Echo,
    /// Sends back so many bytes more; the client closes then.
    Once(usize),
    /// Counts.
    Upload {
        /// Payload bytes so far.
        received: u64,
    },
    /// Sends payload; the next byte's position.
    Download(u64),
}

impl Default for Raw {
    fn default() -> Self {
        Self::Preamble { bytes: [0; preamble::LEN], length: 0 }
    }
}

impl Raw {
    /// Takes what was read, appends what is to be written.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Fed {
        match self {
            Self::Preamble { bytes, length } => {
                let part = input.len().min(preamble::LEN - *length);
                bytes[*length..*length + part].copy_from_slice(&input[..part]);
                *length += part;
                if *length < preamble::LEN {
                    return Fed::default();
                }
                match Operation::decode(*bytes) {
                    Ok(operation) => self.begin(operation, &input[part..], out),
                    Err(_) => Fed { requests: 0, ending: Ending::Drain },
                }
            }
            Self::Echo => {
                out.extend_from_slice(input);
                Fed::default()
            }
            Self::Once(left) => {
                let part = input.len().min(*left);
                out.extend_from_slice(&input[..part]);
                *left -= part;
                Fed { requests: 0, ending: if part == input.len() { Ending::None } else { Ending::Drain } }
            }
            Self::Upload { received } => {
                let before = *received;
                *received += input.len() as u64;
                if before / ACK_EVERY != *received / ACK_EVERY {
                    out.extend_from_slice(&received.to_be_bytes());
                }
                Fed::default()
            }
            Self::Download(_) => Fed::default(),
        }
    }

    fn begin(&mut self, operation: Operation, rest: &[u8], out: &mut Vec<u8>) -> Fed {
        *self = match operation {
            Operation::Echo => Self::Echo,
            Operation::Once(length) => Self::Once(length as usize),
            Operation::Upload => Self::Upload { received: 0 },
            Operation::Download => Self::Download(0),
        };
        let fed = self.feed(rest, out);
        Fed { requests: u64::from(matches!(self, Self::Once(_))), ..fed }
    }

    /// The peer sends no more: the last total of an upload.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if let Self::Upload { received } = self {
            out.extend_from_slice(&received.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preamble_may_come_in_pieces() {
        for cut in 0..12 {
            let (mut raw, mut out) = (Raw::default(), Vec::new());
            raw.feed(&b"dpb1e\0\0\0dpb!"[..cut], &mut out);
            raw.feed(&b"dpb1e\0\0\0dpb!"[cut..], &mut out);
            assert_eq!(out, b"dpb!", "cut at {cut}");
        }
    }

    #[test]
    fn one_request_ends_the_connection() {
        let (mut raw, mut out) = (Raw::default(), Vec::new());
        assert_eq!(raw.feed(b"dpb1o\0\0\x04dp", &mut out), Fed { requests: 1, ending: Ending::None });
        assert_eq!(raw.feed(b"b!", &mut out).ending, Ending::None);
        assert_eq!(out, b"dpb!");
    }

    #[test]
    fn uploads_are_acknowledged_at_each_boundary_and_at_the_end() {
        let (mut raw, mut out) = (Raw::default(), Vec::new());
        raw.feed(b"dpb1u\0\0\0", &mut out);
        raw.feed(&vec![0; 65_535], &mut out);
        assert!(out.is_empty());
        raw.feed(&[0, 0], &mut out);
        raw.end(&mut out);
        assert_eq!(out, [65_537_u64.to_be_bytes(), 65_537_u64.to_be_bytes()].concat());
    }

    #[test]
    fn another_protocol_is_shown_the_door() {
        let (mut raw, mut out) = (Raw::default(), Vec::new());
        assert_eq!(raw.feed(b"GET / HTTP/1.1\r\n\r\n", &mut out).ending, Ending::Drain);
    }
}
