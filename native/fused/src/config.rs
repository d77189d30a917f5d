//! The configuration file: guests as of `dpb-vsock-tsi`, pods as of `dpb-tunnel`, joined by name.

use serde::Deserialize;
use std::path::Path;
use tunnel::config::{PodConfig, check_pods};
use vsock_tsi::config::{GuestConfig, Pace, Service, check};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Guests; each belongs to the pod of its name.
    #[serde(default)]
    pub guests: Vec<GuestConfig>,
    /// Pods of this node, with and without a guest.
    pub pods: Vec<PodConfig>,
    /// How the devices spend their time.
    #[serde(flatten)]
    pub pace: Pace,
}

/// Why a configuration is not taken: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not of this form, or contradicts itself.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let named = |problem: String| ConfigError(format!("{}: {problem}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
        Self::parse(&text).map_err(|error| named(error.0))
    }

    /// Reads and checks a text.
    ///
    /// # Errors
    /// When it is not of this form, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        check_pods(&config.pods).map_err(|error| ConfigError(error.to_string()))?;
        if !config.guests.is_empty() {
            check(&config.guests).map_err(|error| ConfigError(error.to_string()))?;
        }
        config.guests.iter().find_map(|guest| fault(guest, &config.pods)).map_or(Ok(config.clone()), Err)
    }
}

/// What is wrong with a guest that has its pod in the same process.
fn fault(guest: &GuestConfig, pods: &[PodConfig]) -> Option<ConfigError> {
    let wrong = |what: String| Some(ConfigError(format!("guest {}: {what}", guest.name)));
    let Some(pod) = pods.iter().find(|pod| pod.name == guest.name) else {
        return wrong("pods: none has this name; a guest belongs to the pod of its name".into());
    };
    if pod.address != guest.address {
        return wrong(format!("address: {} is not its pod's, which is {}", guest.address, pod.address));
    }
    if guest.outbound.is_some() || guest.inbound.is_some() || !guest.inbound_ports.is_empty() {
        return wrong("outbound, inbound, inboundPorts: leave them out, its streams go to its pod".into());
    }
    if pod.capture || pod.sidecar || pod.outbound_socket.is_some() || pod.inbound_socket.is_some() {
        return wrong(
            "its pod has capture, sidecar or sockets: leave them out, its streams come from the guest".into(),
        );
    }
    if !guest.devices.iter().any(|device| device.services.contains(&Service::Tsi)) {
        return wrong("devices: none has the service \"tsi\"".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{ "guests": [ { "name": "client", "cid": 3, "address": "10.10.1.10", "hybrid": "h",
        "devices": [ { "socket": "client.vhost", "services": ["agent", "tsi"] } ] } ],
        "pods": [ { "name": "client", "address": "10.10.1.10", "certificate": "c", "key": "k", "roots": "r" } ],
        "rescueUs": 100 }"#;

    #[test]
    fn guests_and_pods_are_joined_by_name() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!((config.guests.len(), config.pods.len(), config.pace.rescue_us), (1, 1, 100));
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let says = |from: &str, to: &str| Config::parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(says("\"client\"", "\"other\"").contains("guest other: pods: none has this name"));
        assert!(says("10.10.1.10", "10.10.1.11").contains("not its pod's"));
        assert!(says("\"hybrid\"", "\"outbound\"").contains("leave them out"));
        assert!(says("\"roots\"", "\"capture\": true, \"roots\"").contains("its streams come from the guest"));
        assert!(says("[\"agent\", \"tsi\"]", "[\"agent\"]").contains("none has the service"));
    }
}
