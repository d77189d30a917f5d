//! Counts packets that arrive on an interface, by what they are; none is copied to user space.
//!
//! [`filters`] says what is counted, as classic BPF written with [`assembler`]; [`tap`] attaches it to sockets that are
//! full from the start, so that the kernel counts what matches and keeps nothing.

pub mod assembler;
pub mod filters;
pub mod tap;

use thiserror::Error;

/// Why nothing can be counted.
#[derive(Debug, Error)]
pub enum WiretapError {
    /// The interface is not in this network namespace.
    #[error("no interface {0} in this network namespace; see `ip link`")]
    NoInterface(String),
    /// Packet sockets need a capability.
    #[error("packet sockets are not permitted; run as root or with CAP_NET_RAW")]
    NotPermitted,
    /// A system call failed that never should.
    #[error("{what}: {source}")]
    System {
        /// The call.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}
