//! Frames on a connection between harness and agent: one byte kind, three bytes length (big endian), payload.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};

/// Longest payload of a frame, in bytes: what three bytes can say.
pub const LONGEST: usize = 0x00ff_ffff;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the program's standard input; an empty one ends it.
    Input,
    /// One byte: the signal sent to the program's process group.
    Signal,
    /// JSON `{"pid": n}`: the program runs.
    Started,
    /// From the program's standard output, or the answer to a request that runs none.
    Output,
    /// From the program's standard error.
    Error,
    /// JSON `{"code": n}`, `{"signal": n}` or `{"error": "…"}`; the last frame of every answer.
    Exit,
}

const LETTERS: [(Kind, u8); 6] = [
    (Kind::Input, b'i'),
    (Kind::Signal, b'k'),
    (Kind::Started, b's'),
    (Kind::Output, b'o'),
    (Kind::Error, b'e'),
    (Kind::Exit, b'x'),
];

impl Kind {
    /// Its byte on the wire.
    #[must_use]
    pub fn letter(self) -> u8 {
        LETTERS.into_iter().find_map(|(kind, letter)| (kind == self).then_some(letter)).unwrap_or_default()
    }

    /// The kind that a byte stands for.
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Self> {
        LETTERS.into_iter().find_map(|(kind, own)| (own == letter).then_some(kind))
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub kind: Kind,
    /// Up to [`LONGEST`] bytes.
    pub payload: Vec<u8>,
}

/// Writes one frame, or as many as a payload above [`LONGEST`] needs.
///
/// # Errors
/// Those of the connection.
pub fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(LONGEST));
        let [_, high, middle, low] = u32::try_from(now.len()).unwrap_or_default().to_be_bytes();
        // One write where it fits: a small frame is then one packet.
        let mut bytes = Vec::with_capacity(now.len() + 4);
        bytes.extend_from_slice(&[kind.letter(), high, middle, low]);
        bytes.extend_from_slice(now);
        to.write_all(&bytes)?;
        if later.is_empty() {
            return to.flush();
        }
        rest = later;
    }
}

/// Reads one frame; `None` where the connection ends between two frames.
///
/// # Errors
/// Those of the connection; `InvalidData` for a kind that does not exist, `UnexpectedEof` inside a frame.
pub fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut letter = [0];
    loop {
        match from.read(&mut letter) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let kind = Kind::from_letter(letter[0])
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("no frame begins with byte {}", letter[0])))?;
    let mut length = [0; 4];
    from.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length) as usize;
    // Grown while it arrives: a length alone costs no memory.
    let mut payload = Vec::new();
    if from.take(length as u64).read_to_end(&mut payload)? < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Frame { kind, payload }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = Kind> {
        (0..LETTERS.len()).prop_map(|at| LETTERS[at].0)
    }

    proptest! {
        #[test]
        fn frames_come_back_as_written(
            frames in prop::collection::vec((kinds(), prop::collection::vec(any::<u8>(), 0..600)), 0..20),
        ) {
            let mut wire = Vec::new();
            for (kind, payload) in &frames {
                write(&mut wire, *kind, payload).unwrap();
            }
            let mut from = wire.as_slice();
            for (kind, payload) in frames {
                prop_assert_eq!(read(&mut from).unwrap(), Some(Frame { kind, payload }));
            }
            prop_assert_eq!(read(&mut from).unwrap(), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = read(&mut from) {}
        }
    }

    #[test]
    fn a_payload_above_the_limit_becomes_several_frames() {
        let payload = vec![7; LONGEST + 5];
        let mut wire = Vec::new();
        write(&mut wire, Kind::Output, &payload).unwrap();
        let mut from = wire.as_slice();
        assert_eq!(read(&mut from).unwrap().map(|frame| frame.payload.len()), Some(LONGEST));
        assert_eq!(read(&mut from).unwrap().map(|frame| frame.payload.len()), Some(5));
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn a_frame_that_is_cut_is_an_error() {
        assert!(read(&mut [b'o', 0, 0, 4, 1, 2].as_slice()).is_err());
        assert!(read(&mut [b'?', 0, 0, 0].as_slice()).is_err());
    }
}
