//! The host's side of streams: whoever takes a guest's bytes on and brings others back.
//!
//! The device asks (`open`, `write`, `read`, …), the uplink answers at once and never blocks. What happens later it
//! tells through [`Readiness`], which the owner of the process hands to the guest's device after the poller's events.

#![forbid(unsafe_code)]

use crate::pages::{GuestBuffers, GuestBytes};
use std::io;
use std::net::SocketAddrV4;

/// One stream of one guest; never used twice for different streams within 2³² openings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// Place in the guest's table of streams: small, dense, reused.
    pub index: u32,
    /// Tells apart streams that had the same place.
    pub generation: u32,
}

/// How far a call of the guest has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The far side has taken the call.
    Done,
    /// [`Readiness::Opened`] or [`Readiness::Refused`] will follow.
    Pending,
}

/// The call cannot be put through; the caller sees «connection refused».
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
pub struct Refused;

/// What has become possible on a stream since the uplink was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// A pending opening has succeeded.
    Opened,
    /// A pending opening has failed.
    Refused,
    /// Reading gets further: bytes, the end, or an error.
    Readable,
    /// Writing gets further.
    Writable,
    /// The far side takes no more bytes; what it has sent can still be read. Reading has to be tried, too.
    Broken,
}

/// Where the streams of one guest go on the host's side.
///
/// Streams that the guest opens come by `open`; those opened into the guest (`Guest::open_into_guest`) are answered by
/// `answered` before anything is read or written. Either kind ends by exactly one `close`, and is not named afterwards.
/// A refused `open` and a negative answer end the stream as well, without `close`.
pub trait Uplink {
    /// The guest calls `to`; `from` is the caller's name.
    ///
    /// # Errors
    /// When the call cannot be put through.
    fn open(&mut self, stream: StreamId, from: SocketAddrV4, to: SocketAddrV4) -> Result<Opening, Refused>;

    /// The guest has taken a stream opened into it, or not.
    fn answered(&mut self, stream: StreamId, accepted: bool);

    /// Takes bytes that the guest has sent and says how many. Fewer than offered is back-pressure:
    /// [`Readiness::Writable`] tells when to go on, and until then the device offers no more.
    ///
    /// # Errors
    /// When the far side takes no more bytes at all, whatever the reason.
    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize>;

    /// Fills guest memory and says how much of it; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`: nothing now, [`Readiness::Readable`] tells when. Any other: the stream was cut off.
    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize>;

    /// The guest sends no more (half close); everything it has sent was taken.
    fn finish(&mut self, stream: StreamId);

    /// The stream has ended; `reset` if not in good order.
    fn close(&mut self, stream: StreamId, reset: bool);

    /// The device has handed over what was in the rings: bytes gathered so far should leave now.
    ///
    /// # Errors
    /// When the uplink as a whole is broken; all its streams are reset then.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
