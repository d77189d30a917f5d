//! What a moved socket's program said of it that vsock has no place for.
//!
//! It must travel with the socket, through `fork`, `exec`, SCM_RIGHTS and from a listener to the sockets `accept` makes.
//! So it is kept in the socket itself, as SO_VM_SOCKETS_BUFFER_MIN_SIZE: vsock copies that from a listener, and it has no
//! effect below the buffer's size of 256 KiB. An unmarked socket has the kernel's 128 bytes there.

#![forbid(unsafe_code)]

use crate::address::Family;
use crate::socket;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

/// Level of vsock's options, and the option.
const SOL_VSOCK: i32 = libc::AF_VSOCK;
const BUFFER_MIN_SIZE: i32 = 1;
/// Marks are below this, the kernel's default is above.
const END: u64 = 64;

const V6: u64 = 1;
const V6_ONLY: u64 = 2;

/// A socket's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(u64);

impl Mark {
    /// That of a new socket.
    #[must_use]
    pub fn new(family: Family) -> Self {
        Self(if family == Family::V6 { V6 } else { 0 })
    }

    /// Reads a socket's mark.
    #[must_use]
    pub fn of(socket: BorrowedFd<'_>) -> Self {
        let mut value = [0; 8];
        match socket::option(socket, SOL_VSOCK, BUFFER_MIN_SIZE, &mut value) {
            Ok(8) if u64::from_ne_bytes(value) < END => Self(u64::from_ne_bytes(value)),
            _ => Self::default(),
        }
    }

    /// Puts it on a socket. Nothing to say, which is usual, costs nothing.
    ///
    /// # Errors
    /// As setsockopt(2).
    pub fn put(self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        if self == Self::default() {
            return Ok(());
        }
        socket::set_option(socket, SOL_VSOCK, BUFFER_MIN_SIZE, &self.0.to_ne_bytes())
    }

    /// AF_INET or AF_INET6
    #[must_use]
    pub fn family(self) -> Family {
        if self.0 & V6 == 0 { Family::V4 } else { Family::V6 }
    }

    /// IPV6_V6ONLY
    #[must_use]
    pub fn is_v6_only(self) -> bool {
        self.0 & V6_ONLY != 0
    }

    /// The same with IPV6_V6ONLY on or off; IPv4 has no such option.
    #[must_use]
    pub fn with_v6_only(self, on: bool) -> Self {
        match self.family() {
            Family::V4 => self,
            Family::V6 => Self(if on { self.0 | V6_ONLY } else { self.0 & !V6_ONLY }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{END, Mark};
    use crate::address::Family;

    #[test]
    fn says_family_and_v6_only() {
        assert_eq!(Mark::new(Family::V4), Mark::default());
        assert_eq!(Mark::new(Family::V4).with_v6_only(true), Mark::default());
        let six = Mark::new(Family::V6);
        assert_eq!((six.family(), six.is_v6_only()), (Family::V6, false));
        let only = six.with_v6_only(true);
        assert_eq!((only.family(), only.is_v6_only(), only.with_v6_only(false)), (Family::V6, true, six));
        assert!(only.0 < END);
    }
}
