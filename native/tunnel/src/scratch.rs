//! One buffer that all sockets are read into: what was read goes on without a copy.

#![forbid(unsafe_code)]

use bytes::{Bytes, BytesMut};
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Most bytes read at once: four full TLS records with the header of an HTTP/2 frame.
pub const CHUNK: usize = 4 * 16_384 - 9;
/// Room below which the buffer is exchanged, rather than read in small pieces.
const LOW: usize = 16 << 10;

/// The buffer. Its bytes are cleared once, not before every read.
#[derive(Debug, Default)]
pub struct Scratch(BytesMut);

impl Scratch {
    /// Up to `most` bytes of room.
    pub fn room(&mut self, most: usize) -> &mut [u8] {
        let wanted = most.min(CHUNK);
        if self.0.len() < wanted.min(LOW) {
            // Gets the same memory again, if nothing read into it is still on its way.
            self.0.clear();
            self.0.reserve(CHUNK);
            self.0.resize(CHUNK, 0);
        }
        let room = wanted.min(self.0.len());
        &mut self.0[..room]
    }

    /// The first `count` bytes of the room, which were filled.
    pub fn take(&mut self, count: usize) -> Bytes {
        self.0.split_to(count).freeze()
    }

    /// Reads from a socket, once. Also says whether the room was filled.
    ///
    /// # Errors
    /// As read(2).
    pub fn read(&mut self, socket: impl AsFd, most: usize) -> Result<(Bytes, bool), Errno> {
        let room = self.room(most);
        let wanted = room.len();
        let count = rustix::io::retry_on_intr(|| rustix::io::read(socket.as_fd(), &mut *room))?;
        Ok((self.take(count), count == wanted))
    }
}
