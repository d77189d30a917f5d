//! Port 66156 of the device itself: says that it speaks TSI/1, and the pod's address.

#![forbid(unsafe_code)]

use crate::pages::{GuestBuffers, GuestBytes};
use crate::uplink::{Opening, Refused, StreamId, Uplink};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The port, above all TCP ports (65536 + 620, libkrun's).
pub const PORT: u32 = 66156;
/// Longest line read; more is no version of TSI.
const LINE: usize = 32;

/// The device's own service.
#[derive(Debug)]
pub struct Hello {
    address: Ipv4Addr,
    streams: HashMap<StreamId, Talk>,
}

#[derive(Debug, Default)]
struct Talk {
    asked: Vec<u8>,
    answer: Option<Vec<u8>>,
}

impl Hello {
    /// The service for a pod of this address.
    #[must_use]
    pub fn new(address: Ipv4Addr) -> Self {
        Self { address, streams: HashMap::new() }
    }
}

impl Uplink for Hello {
    fn open(&mut self, stream: StreamId, _: SocketAddrV4, _: SocketAddrV4) -> Result<Opening, Refused> {
        self.streams.insert(stream, Talk::default());
        Ok(Opening::Done)
    }

    fn answered(&mut self, _: StreamId, _: bool) {}

    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize> {
        let talk = self.streams.get_mut(&stream).ok_or(io::ErrorKind::NotConnected)?;
        if talk.answer.is_none() {
            let mut bytes = [0; LINE];
            let count = from_guest.copy_to(0, &mut bytes);
            talk.asked.extend_from_slice(&bytes[..count]);
            let line = talk.asked.split(|&byte| byte == b'\n').next().filter(|line| line.len() < talk.asked.len());
            talk.answer = match line {
                Some(b"TSI/1") => Some(format!("TSI/1 {}\n", self.address).into_bytes()),
                None if talk.asked.len() < LINE => None,
                _ => Some(b"TSI/1 unsupported\n".to_vec()),
            };
        }
        Ok(from_guest.len())
    }

    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize> {
        let talk = self.streams.get_mut(&stream).ok_or(io::ErrorKind::NotConnected)?;
        let answer = talk.answer.as_mut().ok_or(io::ErrorKind::WouldBlock)?;
        let count = into_guest.fill(answer);
        answer.drain(..count);
        Ok(count)
    }

    fn finish(&mut self, stream: StreamId) {
        if let Some(talk) = self.streams.get_mut(&stream) {
            talk.answer.get_or_insert_default();
        }
    }

    fn close(&mut self, stream: StreamId, _: bool) {
        self.streams.remove(&stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pieces: &[&[u8]]) -> Vec<u8> {
        let mut hello = Hello::new(Ipv4Addr::new(10, 10, 1, 10));
        let id = StreamId { index: 0, generation: 1 };
        let nobody = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        hello.open(id, nobody, nobody).unwrap();
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let parts = [bytes.as_mut_slice().into()];
            assert_eq!(hello.write(id, &GuestBytes::new(&parts)).unwrap(), piece.len());
        }
        let (mut all, mut room) = (Vec::new(), [0; 5]);
        loop {
            let parts = [(&mut room[..]).into()];
            match hello.read(id, &mut GuestBuffers::new(&parts)) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&room[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    all.extend_from_slice(b"(waits)");
                    break;
                }
            }
        }
        hello.close(id, false);
        assert!(hello.streams.is_empty());
        all
    }

    #[test]
    fn its_version_is_answered_with_the_address_and_others_are_not() {
        assert_eq!(ask(&[b"TSI/1\n"]), b"TSI/1 10.10.1.10\n");
        assert_eq!(ask(&[b"TS", b"I/1\nmore"]), b"TSI/1 10.10.1.10\n");
        assert_eq!(ask(&[b"TSI/2\n"]), b"TSI/1 unsupported\n");
        assert_eq!(ask(&[&[b'x'; 100]]), b"TSI/1 unsupported\n");
        assert_eq!(ask(&[b"TSI/1"]), b"(waits)");
    }
}
