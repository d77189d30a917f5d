//! What has been served, cumulative since the start.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Counters of the server, as printed.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// HTTP requests, and raw connections of one request.
    pub requests: u64,
    /// Application bytes read: heads and preambles included.
    pub bytes_received: u64,
    /// Application bytes written.
    pub bytes_sent: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections by source address.
    pub peers: BTreeMap<IpAddr, u64>,
}

impl Stats {
    /// One JSON line.
    #[must_use]
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Event<'a> {
            event: &'static str,
            #[serde(flatten)]
            stats: &'a Stats,
        }
        serde_json::to_string(&Event { event: "stats", stats: self }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_documented_one() {
        let mut stats = Stats { connections: 2, ..Stats::default() };
        stats.peers.insert(IpAddr::from([10, 10, 1, 10]), 2);
        let expected = r#"{"event":"stats","connections":2,"requests":0,"bytesReceived":0,"bytesSent":0,"open":0,"peers":{"10.10.1.10":2}}"#;
        assert_eq!(stats.line(), expected);
    }
}
