//! What a node proxy counts: facts that a harness asserts, hence exact.

#![forbid(unsafe_code)]

use crate::stream::Way;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;

/// Original destinations counted one by one; tunnels to others are counted together.
const MOST_DESTINATIONS: usize = 1024;

/// Of one pod.
#[derive(Debug, Default, Serialize)]
pub struct PodStats {
    /// Connections of the pod's application, and the tunnels they became.
    pub outbound: Direction,
    /// Tunnels into the pod, and the application's connections they became.
    pub inbound: Direction,
    /// Connections from outside the mesh.
    pub plaintext: Plaintext,
}

/// One way of opening. Bytes are the application's: `in` came from whoever opened, `out` went to it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Direction {
    /// Connections of the application (outbound), CONNECT requests (inbound).
    pub accepted: u64,
    /// Of these: answered 200, both sides connected.
    pub tunnels: u64,
    /// Of these: not put through, whatever the reason.
    pub refused: u64,
    /// Not ended yet, refused ones not counted.
    pub open: u64,
    /// Taken from whoever opened and handed on.
    pub bytes_in: u64,
    /// Taken from the other side and handed to whoever opened.
    pub bytes_out: u64,
    /// Connections to and from other proxies, and who they are.
    pub tls: Tls,
    /// Tunnels by original destination.
    #[serde(serialize_with = "named")]
    pub destinations: Destinations,
}

/// TLS connections of one direction.
#[derive(Debug, Default, Serialize)]
pub struct Tls {
    /// Begun: called, or accepted.
    pub connections: u64,
    /// Finished with both identities proved.
    pub handshakes: u64,
    /// Of the handshakes: TLS 1.3.
    pub tls13: u64,
    /// Refused by either side, or cut off before they were finished.
    pub failures: u64,
    /// Tunnels by the peer's SPIFFE id.
    pub peers: BTreeMap<String, u64>,
}

/// Connections of port 15006.
#[derive(Debug, Default, Serialize)]
pub struct Plaintext {
    /// Accepted.
    pub accepted: u64,
}

/// Tunnels by original destination, in bounded space.
#[derive(Debug, Default)]
pub struct Destinations {
    named: HashMap<SocketAddrV4, u64>,
    others: u64,
}

impl Destinations {
    /// One more.
    pub fn count(&mut self, to: SocketAddrV4) {
        let full = self.named.len() >= MOST_DESTINATIONS;
        match self.named.get_mut(&to) {
            Some(count) => *count += 1,
            None if full => self.others += 1,
            None => drop(self.named.insert(to, 1)),
        }
    }
}

impl Direction {
    /// A tunnel stands.
    pub fn opened(&mut self, peer: &str, to: SocketAddrV4) {
        self.tunnels += 1;
        match self.tls.peers.get_mut(peer) {
            Some(count) => *count += 1,
            None => drop(self.tls.peers.insert(peer.to_owned(), 1)),
        }
        self.destinations.count(to);
    }

    /// Bytes that go into tunnels.
    pub fn bytes_up(&mut self, way: Way) -> &mut u64 {
        if way == Way::Outbound { &mut self.bytes_in } else { &mut self.bytes_out }
    }

    /// Bytes that come out of tunnels.
    pub fn bytes_down(&mut self, way: Way) -> &mut u64 {
        if way == Way::Outbound { &mut self.bytes_out } else { &mut self.bytes_in }
    }
}

fn named<S: serde::Serializer>(destinations: &Destinations, serializer: S) -> Result<S::Ok, S::Error> {
    let named = destinations.named.iter().map(|(to, count)| (to.to_string(), *count));
    let others = (destinations.others > 0).then(|| ("other".to_owned(), destinations.others));
    serializer.collect_map(named.chain(others).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_beyond_the_bound_are_counted_together() {
        let mut direction = Direction::default();
        for round in 0..2 {
            for port in 1..=1030 {
                direction.opened("spiffe://a/b", SocketAddrV4::new([10, 0, 0, 1].into(), port));
            }
            assert_eq!(direction.tunnels, 1030 * (round + 1));
        }
        let value = serde_json::to_value(&direction).unwrap();
        assert_eq!(value["destinations"].as_object().unwrap().len(), 1025);
        assert_eq!((&value["destinations"]["10.0.0.1:1024"], &value["destinations"]["other"]), (&2.into(), &12.into()));
        assert_eq!(value["tls"]["peers"]["spiffe://a/b"], 2060);
        assert_eq!(value["bytesIn"], 0);
    }
}
