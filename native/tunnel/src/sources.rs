//! What the node has registered with the shared poller, and how its events are told apart.

#![forbid(unsafe_code)]

use crate::table::Key;
use poller::{Poller, Token};
use rustix::fd::AsFd;
use std::io;
use std::rc::Rc;

/// What a descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A listener.
    Listener,
    /// A TLS connection.
    Connection,
    /// A socket that is relayed to a tunnel.
    Relay,
    /// A Unix connection whose PROXY header is not complete.
    Greeting,
    /// The caller's end of a plaintext connection, and the application's.
    Caller,
    /// See `Caller`.
    Application,
}

const KINDS: [Kind; 6] =
    [Kind::Listener, Kind::Connection, Kind::Relay, Kind::Greeting, Kind::Caller, Kind::Application];
/// Bits of a token's index that hold the place in a table; the kind is above.
const PLACE_BITS: u32 = 28;

/// The node's share of the poller.
#[derive(Debug, Clone)]
pub struct Sources {
    poller: Rc<Poller>,
    owner: u8,
}

impl Sources {
    /// The share of `owner`.
    #[must_use]
    pub fn new(poller: Rc<Poller>, owner: u8) -> Self {
        Self { poller, owner }
    }

    /// Watches both directions, edge-triggered.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn watch(&self, socket: impl AsFd, kind: Kind, key: Key) -> io::Result<()> {
        self.poller.add(socket, self.token(kind, key))
    }

    /// Watches a listener, level-triggered.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn watch_listener(&self, socket: impl AsFd, key: Key) -> io::Result<()> {
        self.poller.add_level(socket, self.token(Kind::Listener, key))
    }

    /// Stops watching a socket that stays open.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn forget(&self, socket: impl AsFd) -> io::Result<()> {
        self.poller.remove(socket)
    }

    fn token(&self, kind: Kind, key: Key) -> Token {
        Token::new(self.owner, key.generation, (kind as u32) << PLACE_BITS | key.index)
    }
}

/// What a token stands for: kind, place, and lower bits of the generation.
#[must_use]
pub fn parts(token: Token) -> Option<(Kind, u32, u32)> {
    let kind = *KINDS.get((token.index() >> PLACE_BITS) as usize)?;
    Some((kind, token.index() & ((1 << PLACE_BITS) - 1), token.generation()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_kind_and_place() {
        let sources = Sources::new(Rc::new(Poller::new().unwrap()), 3);
        for kind in KINDS {
            let key = Key { index: 77, generation: 0x0100_0002 };
            assert_eq!(parts(sources.token(kind, key)), Some((kind, 77, 2)));
        }
    }
}
