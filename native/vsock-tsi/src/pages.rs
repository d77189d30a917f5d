//! Guest memory as the uplink sees it: bytes to take, room to fill. No copy between guest pages and a socket.
//!
//! A guest may change its memory at any time, so Rust references into it must not exist: it is reached through
//! [`VolatileSlice`], and by the kernel through plain addresses.

use rustix::fd::{AsFd, AsRawFd};
use std::io;
use vm_memory::VolatileSlice;

/// Pieces of guest memory that one system call takes.
pub const PIECES: usize = 64;

/// Bytes that a guest has sent, in guest memory or held by the device.
#[derive(Clone, Copy)]
pub struct GuestBytes<'a> {
    parts: &'a [VolatileSlice<'a>],
    length: usize,
}

impl<'a> GuestBytes<'a> {
    /// The bytes of these slices, in order; no more slices than one call can take.
    #[must_use]
    pub fn new(parts: &'a [VolatileSlice<'a>]) -> Self {
        debug_assert!(parts.len() <= PIECES, "a chain has no more");
        Self { parts, length: parts.iter().map(VolatileSlice::len).sum() }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// No byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces of memory that hold them.
    #[must_use]
    pub fn parts(&self) -> &'a [VolatileSlice<'a>] {
        self.parts
    }

    /// Copies from the byte numbered `start` on; how many there were to copy, at most `into.len()`.
    pub fn copy_to(&self, start: usize, into: &mut [u8]) -> usize {
        let (mut skip, mut done) = (start, 0);
        for part in self.parts {
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let Ok(rest) = part.offset(skip) else { break };
            skip = 0;
            done += rest.copy_to(&mut into[done..]);
            if done == into.len() {
                break;
            }
        }
        done
    }

    /// Sends them to a socket, without waiting and without a copy of our own; how many it took.
    ///
    /// # Errors
    /// As sendmsg(2), `WouldBlock` among them; EINTR is tried again.
    pub fn send(&self, socket: impl AsFd) -> io::Result<usize> {
        with_message(self.parts, |message| {
            // SAFETY: the message names memory that `parts` keeps mapped; the kernel only reads it, and a bad address
            // is an error of the call.
            unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) }
        })
    }
}

/// Guest memory to fill from its beginning on.
pub struct GuestBuffers<'a> {
    parts: &'a [VolatileSlice<'a>],
    length: usize,
    filled: usize,
}

impl<'a> GuestBuffers<'a> {
    /// The room of these slices, in order; of more than one call can fill, the first.
    #[must_use]
    pub fn new(parts: &'a [VolatileSlice<'a>]) -> Self {
        let parts = &parts[..parts.len().min(PIECES)];
        Self { parts, length: parts.iter().map(VolatileSlice::len).sum(), filled: 0 }
    }

    /// Room left, in bytes.
    #[must_use]
    pub fn room(&self) -> usize {
        self.length - self.filled
    }

    /// Bytes filled so far.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Copies bytes behind those filled before; how many there was room for.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let (mut skip, mut done) = (self.filled, 0);
        for part in self.parts {
            if done == bytes.len() {
                break;
            }
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let Ok(rest) = part.offset(skip) else { break };
            skip = 0;
            let length = rest.len().min(bytes.len() - done);
            rest.copy_from(&bytes[done..done + length]);
            done += length;
        }
        self.filled += done;
        done
    }

    /// Receives from a socket, without waiting and without a copy of our own. Only for buffers not filled so far.
    ///
    /// # Errors
    /// As recvmsg(2), `WouldBlock` among them; EINTR is tried again.
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        debug_assert_eq!(self.filled, 0, "receiving goes to the beginning");
        let length = with_message(self.parts, |message| {
            // SAFETY: the message names memory that `parts` keeps mapped and that no Rust reference covers; the kernel
            // writes within it, and a bad address is an error of the call.
            unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), message, libc::MSG_DONTWAIT) }
        })?;
        self.filled = length;
        Ok(length)
    }
}

/// Makes a system call on slices of guest memory.
fn with_message(parts: &[VolatileSlice<'_>], mut call: impl FnMut(&mut libc::msghdr) -> isize) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; PIECES];
    let used = parts.len().min(PIECES);
    for (vector, part) in vectors.iter_mut().zip(parts) {
        // Without bitmap and Xen, the guard is no more than the address: mapped memory stays so while `parts` lives.
        *vector = libc::iovec { iov_base: part.ptr_guard_mut().as_ptr().cast(), iov_len: part.len() };
    }
    // SAFETY: all zero bits are a valid msghdr (null pointers, lengths of zero).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = used as _;
    loop {
        let result = call(&mut message);
        if let Ok(length) = usize::try_from(result) {
            return Ok(length);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn scattered_bytes_leave_in_order_and_arrive_so() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut one, mut two, mut three) = (*b"hel", *b"", *b"lo there");
        let parts = [(&mut one[..]).into(), (&mut two[..]).into(), (&mut three[..]).into()];
        assert_eq!(GuestBytes::new(&parts).send(&near).unwrap(), 11);
        let (mut a, mut b) = ([0; 4], [0; 20]);
        let parts = [(&mut a[..]).into(), (&mut b[..]).into()];
        let mut buffers = GuestBuffers::new(&parts);
        assert_eq!(buffers.receive(&far).unwrap(), 11);
        assert_eq!((buffers.filled(), buffers.room()), (11, 13));
        assert_eq!((&a, &b[..7]), (b"hell", &b"o there"[..]));
        let parts = [(&mut a[..]).into()];
        let error = GuestBuffers::new(&parts).receive(&far).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn copies_begin_anywhere_and_filling_goes_on_where_it_stopped() {
        let (mut one, mut two) = (*b"abc", *b"defg");
        let parts = [(&mut one[..]).into(), (&mut two[..]).into()];
        let bytes = GuestBytes::new(&parts);
        let mut into = [0; 4];
        assert_eq!(bytes.copy_to(2, &mut into), 4);
        assert_eq!(&into, b"cdef");
        assert_eq!(bytes.copy_to(6, &mut into), 1);
        assert_eq!(bytes.copy_to(9, &mut into), 0);
        let mut buffers = GuestBuffers::new(&parts);
        assert_eq!(buffers.fill(b"12"), 2);
        assert_eq!(buffers.fill(b"345"), 3);
        assert_eq!(buffers.fill(b"6789"), 2);
        assert_eq!(buffers.room(), 0);
        assert_eq!((&one, &two), (b"123", b"4567"));
    }
}
