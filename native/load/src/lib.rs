//! The load driver: one thread, edge-triggered epoll, nothing allocated per request.
//!
//! [`options`] → [`plan`] (every send time, before the first) → [`fleet`] (connections over [`socket`], answers checked
//! by [`answer`]) driven by [`loop_open`], [`loop_closed`] or [`stream`] → [`tally`] (what is counted in the window)
//! → [`report`] (JSON lines).

#![forbid(unsafe_code)]

pub mod answer;
pub mod clock;
pub mod connection;
pub mod firing;
pub mod fleet;
pub mod histogram;
pub mod loop_closed;
pub mod loop_open;
pub mod options;
pub mod plan;
pub mod report;
pub mod socket;
pub mod spin;
pub mod stream;
pub mod tally;
pub mod window;

use std::net::SocketAddr;
use thiserror::Error;

/// Why nothing could be measured.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A combination of options without a meaning.
    #[error("{0}")]
    Usage(String),
    /// The first connections could not be opened.
    #[error("cannot connect to {target}: {kind}; is the server up, and is {target} reachable from here?")]
    Connect {
        /// Where to.
        target: SocketAddr,
        /// Kind of failure, as in the result's errors.
        kind: &'static str,
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

impl LoadError {
    /// For `map_err`: names the call that failed.
    pub fn system(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::System { what, source }
    }

    /// Code of the error event.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Connect { kind, .. } => kind,
            Self::System { .. } => "system",
        }
    }
}
