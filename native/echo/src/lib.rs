//! The echo server: one thread, edge-triggered epoll, as little of its own cost per request as can be, because it
//! stands at the end of every datapath that is compared.
//!
//! [`options`] → [`server`] (sockets, readiness) → [`connection`] (buffers, back-pressure) → [`http`] or [`raw`]
//! (bytes in, bytes out; no sockets). [`hindrance`] makes it slow on purpose, for tests of the driver.

#![forbid(unsafe_code)]

pub mod connection;
pub mod hindrance;
pub mod http;
pub mod options;
pub mod raw;
pub mod server;
pub mod stats;

use std::net::SocketAddr;
use thiserror::Error;

/// Why the server does not start or cannot go on.
#[derive(Debug, Error)]
pub enum EchoError {
    /// The address is taken, or not of this network namespace.
    #[error("cannot listen on {address}: {source}; choose another address or stop what listens there")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: rustix::io::Errno,
    },
    /// A system call failed that never should.
    #[error("{what}: {source}")]
    System {
        /// The call.
        what: &'static str,
        /// What the kernel said.
        source: rustix::io::Errno,
    },
}

impl EchoError {
    /// For `map_err`: names the call that failed.
    pub fn system(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::System { what, source }
    }
}
