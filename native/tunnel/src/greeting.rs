//! A connection of an application over a Unix socket, until its PROXY header is complete.

#![forbid(unsafe_code)]

use crate::proxy_v2::{self, Announced};
use bytes::Bytes;
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use std::time::Instant;

/// Seconds in which a header has to come.
pub const LIMIT_S: u64 = 5;

/// A connection and what it has sent.
#[derive(Debug)]
pub struct Greeting {
    /// The connection.
    pub socket: OwnedFd,
    /// Place of the pod.
    pub pod: usize,
    /// When it came.
    pub since: Instant,
    /// The poller knows it, because the header did not come with the connection.
    pub watched: bool,
    received: Vec<u8>,
}

/// What a look at the socket has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not complete yet.
    Part,
    /// Complete, and what was read behind it.
    Whole(Announced, Bytes),
    /// No header, or gone.
    Nothing,
}

impl Greeting {
    /// Nothing received yet.
    #[must_use]
    pub fn new(socket: OwnedFd, pod: usize) -> Self {
        Self { socket, pod, since: Instant::now(), watched: false, received: Vec::new() }
    }

    /// Reads what is there.
    pub fn listen(&mut self) -> Heard {
        let mut bytes = [0; proxy_v2::LONGEST];
        loop {
            match retry_on_intr(|| rustix::io::read(&self.socket, &mut bytes)) {
                Ok(0) => return Heard::Nothing,
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
                Err(Errno::AGAIN) => return Heard::Part,
                Err(_) => return Heard::Nothing,
            }
            match proxy_v2::parse(&self.received) {
                Ok(None) => {}
                Ok(Some((announced, length))) => {
                    let rest = Bytes::from(self.received.split_off(length));
                    return Heard::Whole(announced, rest);
                }
                Err(_) => return Heard::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_header_in_pieces_is_waited_for_and_what_follows_is_kept() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut greeting = Greeting::new(near.into(), 0);
        let announced = Announced { from: "10.0.0.1:1".parse().unwrap(), to: "10.0.0.2:2".parse().unwrap() };
        let header = proxy_v2::write(announced);
        assert_eq!(greeting.listen(), Heard::Part);
        far.write_all(&header[..5]).unwrap();
        assert_eq!(greeting.listen(), Heard::Part);
        far.write_all(&header[5..]).unwrap();
        far.write_all(b"hello").unwrap();
        assert_eq!(greeting.listen(), Heard::Whole(announced, Bytes::from_static(b"hello")));
    }

    #[test]
    fn another_beginning_or_an_early_end_is_nothing() {
        for text in ["GET / HTTP/1.1\r\n\r\n", ""] {
            let (near, mut far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            far.write_all(text.as_bytes()).unwrap();
            drop(far);
            assert_eq!(Greeting::new(near.into(), 0).listen(), Heard::Nothing);
        }
    }
}
