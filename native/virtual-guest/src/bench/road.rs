//! The ways on which the same tests are fired: through a device, or over a Unix socket of the host.
//!
//! A further way (an HBONE client beside the fused device, say) is one more [`Road`] and one more [`End`].

#![forbid(unsafe_code)]

use crate::packet::Address;
use crate::peer::service_path;
use crate::{Guest, Stream};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Bytes that one write of a stream test offers, and one read has room for.
pub const PIECE: usize = crate::payload::PIECE;

/// A way to the services of [`crate::peer`].
pub enum Road {
    /// Out of a guest, to the services at a CID.
    Device {
        /// Who calls.
        guest: Guest,
        /// Where the services are.
        cid: u64,
    },
    /// From one process of the host to another: `<base>_<port>`.
    Unix(PathBuf),
}

/// An open connection on a road.
pub enum End {
    /// Through a device.
    Device(Stream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Road {
    /// Calls a service and waits for the answer.
    ///
    /// # Errors
    /// When the call fails.
    pub fn connect(&self, port: u16) -> io::Result<End> {
        match self {
            Self::Device { guest, cid } => guest.connect(Address::new(*cid, port.into())).map(End::Device),
            Self::Unix(base) => UnixStream::connect(service_path(base, port)).map(End::Unix),
        }
    }

    /// Waits until the far side has confirmed the end of all closed connections.
    ///
    /// # Errors
    /// When it does not.
    pub fn settle(&self) -> io::Result<()> {
        match self {
            Self::Device { guest, .. } => guest.run_until(|| guest.streams() == 0),
            Self::Unix(_) => Ok(()),
        }
    }
}

impl End {
    /// Sends no more.
    ///
    /// # Errors
    /// When the connection is at an end.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Device(stream) => stream.finish(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Takes what has come, with as few copies as the road allows; its length, 0 at the end.
    ///
    /// # Errors
    /// When the connection was cut off.
    pub fn next_piece(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Device(stream) => {
                *buffer = stream.next_chunk(std::mem::take(buffer))?.unwrap_or_default();
                Ok(buffer.len())
            }
            Self::Unix(stream) => {
                buffer.resize(PIECE, 0);
                stream.read(buffer)
            }
        }
    }
}

impl Read for End {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Device(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Device(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
