//! What a guest's devices have done, as `stats` answers it. Cumulative since the process began.

#![forbid(unsafe_code)]

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Destinations, and ports, counted one by one; the rest is counted together.
const NAMED: usize = 1024;

/// Streams of one kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Streams that were accepted by the called side.
    pub opened: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Streams open now.
    pub open: u64,
    /// Payload sent by the guest and taken by the host's side.
    pub bytes_from_guest: u64,
    /// Payload put into the guest's memory.
    pub bytes_to_guest: u64,
}

/// Streams of one destination or port.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Streams that were accepted by the called side.
    pub opened: u64,
    /// Payload sent by the guest and taken by the host's side.
    pub bytes_from_guest: u64,
    /// Payload put into the guest's memory.
    pub bytes_to_guest: u64,
}

/// Streams by a name (a destination, a port).
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Shares(BTreeMap<String, Share>);

impl Shares {
    /// Counts a stream that has ended, or a part of one still open.
    pub fn add(&mut self, name: impl ToString, share: Share) {
        let name = name.to_string();
        let full = self.0.len() >= NAMED && !self.0.contains_key(&name);
        let sum = self.0.entry(if full { "other".into() } else { name }).or_default();
        sum.opened += share.opened;
        sum.bytes_from_guest += share.bytes_from_guest;
        sum.bytes_to_guest += share.bytes_to_guest;
    }

    /// What has been counted under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Share> {
        self.0.get(name)
    }
}

/// One guest.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestStats {
    /// TSI: calls of the guest.
    pub outbound: Flow,
    /// TSI: calls to the guest.
    pub inbound: Flow,
    /// The sandbox's own services.
    pub agent: Flow,
    /// Packets of any kind that the guest has sent.
    pub packets_from_guest: u64,
    /// Packets of any kind given to the guest.
    pub packets_to_guest: u64,
    /// Wake-ups by the guest.
    pub kicks: u64,
    /// Interrupts of the guest, rescues among them.
    pub interrupts: u64,
    /// Interrupts repeated because the guest had not reacted.
    pub rescues: u64,
    /// Packets that told the guest of nothing but credit.
    pub credit_updates_sent: u64,
    /// Packets by which the guest told of nothing but credit.
    pub credit_updates_received: u64,
    /// Calls of the guest by original destination.
    pub destinations: Shares,
    /// Calls to the guest by port.
    pub inbound_ports: Shares,
    /// A guest is attached.
    pub connected: bool,
    /// Why the device was closed on a guest that broke the rules.
    pub closed: Option<String>,
}

/// The name of a destination whose vsock address is `cid` and `port`.
#[must_use]
pub fn address(cid: u32, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(cid), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_protocol() {
        let mut stats = GuestStats::default();
        stats.destinations.add(address(0x0a0a_0214, 8080), Share { opened: 1, bytes_from_guest: 2, bytes_to_guest: 3 });
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["outbound"]["bytesFromGuest"], 0);
        assert_eq!(json["destinations"]["10.10.2.20:8080"]["bytesToGuest"], 3);
        assert_eq!(json["creditUpdatesSent"], 0);
        assert!(json["closed"].is_null());
    }

    #[test]
    fn a_guest_that_calls_everywhere_does_not_fill_memory() {
        let mut shares = Shares::default();
        for number in 0..5000_u32 {
            shares.add(number, Share { opened: 1, ..Share::default() });
        }
        assert_eq!(shares.0.len(), NAMED + 1);
        assert_eq!(shares.get("other").unwrap().opened, 5000 - NAMED as u64);
        shares.add(7, Share { opened: 1, ..Share::default() });
        assert_eq!(shares.get("7").unwrap().opened, 2);
    }
}
