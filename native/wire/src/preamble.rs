//! The first eight bytes of a raw TCP connection: `"dpb1"`, one operation byte, three bytes of argument.

use thiserror::Error;

/// Length of a preamble in bytes.
pub const LEN: usize = 8;

const MAGIC: &[u8; 4] = b"dpb1";

/// What the client wants the server to do with the rest of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Send back every byte, until the client's half close.
    Echo,
    /// Send back the given number of bytes, then close: the server keeps the TIME_WAIT, so the client does not run
    /// out of ports.
    Once(u32),
    /// Discard, and acknowledge with running totals.
    Upload,
    /// Send payload until the client closes.
    Download,
}

/// Why eight bytes are no preamble.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PreambleError {
    /// Another protocol, or another version of this one.
    #[error("connection does not begin with \"dpb1\"")]
    Magic,
    /// A letter that version 1 does not know.
    #[error("unknown operation byte {0:#04x}")]
    Operation(u8),
}

impl Operation {
    /// The preamble that asks for this operation; a length above 2^24 - 1 is cut to its low 24 bits.
    #[must_use]
    pub fn encode(self) -> [u8; LEN] {
        let (letter, argument) = match self {
            Self::Echo => (b'e', 0),
            Self::Once(length) => (b'o', length),
            Self::Upload => (b'u', 0),
            Self::Download => (b'd', 0),
        };
        let [_, a, b, c] = argument.to_be_bytes();
        let [d, p, v, one] = *MAGIC;
        [d, p, v, one, letter, a, b, c]
    }

    /// Reads a preamble.
    ///
    /// # Errors
    /// When the magic or the operation is not of version 1.
    pub fn decode(bytes: [u8; LEN]) -> Result<Self, PreambleError> {
        let [m0, m1, m2, m3, letter, a, b, c] = bytes;
        if [m0, m1, m2, m3] != *MAGIC {
            return Err(PreambleError::Magic);
        }
        match letter {
            b'e' => Ok(Self::Echo),
            b'o' => Ok(Self::Once(u32::from_be_bytes([0, a, b, c]))),
            b'u' => Ok(Self::Upload),
            b'd' => Ok(Self::Download),
            other => Err(PreambleError::Operation(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_survives_the_wire() {
        for operation in
            [Operation::Echo, Operation::Once(0), Operation::Once(0xff_ffff), Operation::Upload, Operation::Download]
        {
            assert_eq!(Operation::decode(operation.encode()), Ok(operation));
        }
    }

    #[test]
    fn the_documented_bytes_are_sent() {
        assert_eq!(&Operation::Echo.encode(), b"dpb1e\0\0\0");
        assert_eq!(&Operation::Once(64).encode(), b"dpb1o\0\0\x40");
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert_eq!(Operation::decode(*b"GET / HT"), Err(PreambleError::Magic));
        assert_eq!(Operation::decode(*b"dpb1x\0\0\0"), Err(PreambleError::Operation(b'x')));
    }
}
