//! Why a device was closed on a guest, or on the front end that runs it.

#![forbid(unsafe_code)]

use std::io;

/// A rule broken by a guest or by its front end: the device is closed on it, with this reason.
#[derive(Debug, thiserror::Error)]
pub enum Breach {
    /// The front end closed its control socket: the ordinary end of a guest.
    #[error("the front end has gone")]
    Gone,
    /// The control socket failed.
    #[error("control socket: {0}")]
    Control(#[source] io::Error),
    /// A control message that cannot be understood or carried out.
    #[error("vhost-user request {request}: {what}")]
    Message {
        /// Number of the request.
        request: u32,
        /// What is wrong with it.
        what: String,
    },
    /// A ring that cannot be used.
    #[error("ring {ring}: {what}")]
    Ring {
        /// Its number: 0 to the guest, 1 from the guest, 2 events.
        ring: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The front end has cut off memory that it had shared.
    #[error("the guest's memory was cut off")]
    Memory,
    /// The guest's interrupt was made blocking, and full.
    #[error("the guest's interrupt blocks")]
    Blocks,
    /// The uplink as a whole failed.
    #[error("uplink: {0}")]
    Uplink(#[source] io::Error),
}

impl Breach {
    /// A guest that simply ended broke no rule.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Gone)
    }
}
