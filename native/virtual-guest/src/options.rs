//! What kind of guest is played.

#![forbid(unsafe_code)]

use std::time::Duration;

/// A guest's habits. The default is Linux's: 4 KiB for each received packet, 64 KiB for each sent one, header and payload
/// in descriptors of their own, 256 KiB of credit, events by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Entries of each ring; a power of two.
    pub ring_size: u16,
    /// Payload of one receive buffer, in bytes.
    pub receive_bytes: u32,
    /// Largest payload of one sent packet, in bytes.
    pub send_bytes: u32,
    /// Room for each stream, in bytes: what the guest grants.
    pub credit_bytes: u32,
    /// Negotiate `VIRTIO_RING_F_EVENT_IDX` if the device has it.
    pub event_idx: bool,
    /// Negotiate `VIRTIO_RING_F_INDIRECT_DESC` if the device has it, and use it for every packet.
    pub indirect: bool,
    /// Header and payload in one descriptor, as Linux from 6.2 on.
    pub joined: bool,
    /// Take a packet that breaks the rules for an error; else drop it, as Linux does.
    pub strict: bool,
    /// Answer packets that belong to no stream by `RST`, as Linux does; else say nothing.
    pub answers_strays: bool,
    /// Give the device buffers to receive into.
    pub receives: bool,
    /// The CID, for a device without configuration space.
    pub cid: u64,
    /// How long calls wait for the device.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_size: 256,
            receive_bytes: 4096,
            send_bytes: 65_536,
            credit_bytes: 262_144,
            event_idx: true,
            indirect: false,
            joined: false,
            strict: true,
            answers_strays: true,
            receives: true,
            cid: 3,
            patience: Duration::from_secs(10),
        }
    }
}
