//! The configuration file: which guests are served, by which sockets (`native/PROTOCOL.md`, dpb-vsock-tsi).

#![forbid(unsafe_code)]

use serde::Deserialize;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// CIDs that are no guest's: any, the guest's own loopback, the host.
const FIRST_GUEST_CID: u32 = 3;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Guests served by this process.
    pub guests: Vec<GuestConfig>,
    /// How the device spends its time.
    #[serde(flatten)]
    pub pace: Pace,
}

/// How a device spends its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pace {
    /// Ring again if the guest has not reacted in so many µs; 0 never.
    pub rescue_us: u32,
    /// Look at the rings for so many µs before sleeping; 0 never.
    pub poll_us: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rescue_us: 1000, poll_us: 0 }
    }
}

/// One guest: what the device has to know, and the sockets of a guest that is served by sockets alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GuestConfig {
    /// Its name in statistics.
    pub name: String,
    /// Its vsock address.
    pub cid: u32,
    /// Its pod's address: the name of every call it makes.
    pub address: Ipv4Addr,
    /// vhost-user sockets, one for each device of the guest.
    pub devices: Vec<DeviceConfig>,
    /// Unix socket for the harness: `CONNECT <port>`.
    #[serde(default)]
    pub hybrid: Option<PathBuf>,
    /// The node proxy's Unix socket for calls out of the guest.
    #[serde(default)]
    pub outbound: Option<PathBuf>,
    /// Unix socket for calls into the guest, with a PROXY v2 header.
    #[serde(default)]
    pub inbound: Option<PathBuf>,
    /// The same with a port fixed by the socket.
    #[serde(default)]
    pub inbound_ports: Vec<InboundPort>,
}

/// One device of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeviceConfig {
    /// vhost-user socket, listened on.
    pub socket: PathBuf,
    /// What it carries.
    pub services: Vec<Service>,
}

/// What a device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The sandbox's own services: guest ports above 65535.
    Agent,
    /// The TCP of the sandbox's applications.
    Tsi,
}

/// A socket whose streams all go to one port of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InboundPort {
    /// TCP port in the pod.
    pub port: u16,
    /// Unix socket, listened on.
    pub socket: PathBuf,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or not of this form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A guest that cannot be served.
    #[error("guest {guest}: {what}")]
    Guest {
        /// Its name.
        guest: String,
        /// What to change.
        what: String,
    },
    /// Nothing to do.
    #[error("guests: name at least one guest")]
    Empty,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// When it is not of the form, or names a guest that cannot be served.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text)?;
        check(&config.guests)?;
        Ok(config)
    }
}

/// Checks guests together: names and CIDs tell them apart.
///
/// # Errors
/// When a guest cannot be served.
pub fn check(guests: &[GuestConfig]) -> Result<(), ConfigError> {
    if guests.is_empty() {
        return Err(ConfigError::Empty);
    }
    for (number, guest) in guests.iter().enumerate() {
        if let Some(what) = fault(guest, &guests[..number]) {
            return Err(ConfigError::Guest { guest: guest.name.clone(), what });
        }
    }
    Ok(())
}

fn fault(guest: &GuestConfig, before: &[GuestConfig]) -> Option<String> {
    if before.iter().any(|other| other.name == guest.name) {
        return Some("name: another guest has this name".into());
    }
    if guest.cid < FIRST_GUEST_CID || guest.cid == u32::MAX {
        return Some(format!("cid: {} is not a guest's, use 3 to 4294967294", guest.cid));
    }
    if guest.devices.is_empty() || guest.devices.len() > 8 {
        return Some(format!("devices: {} given, use 1 to 8", guest.devices.len()));
    }
    if let Some(device) = guest.devices.iter().find(|device| device.services.is_empty()) {
        return Some(format!("devices: {} serves nothing, name \"agent\", \"tsi\" or both", device.socket.display()));
    }
    for service in [Service::Agent, Service::Tsi] {
        if guest.devices.iter().filter(|device| device.services.contains(&service)).count() > 1 {
            return Some(format!("devices: {service:?} is served by more than one"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{ "guests": [ { "name": "client", "cid": 3, "address": "10.10.1.10",
        "devices": [ { "socket": "client.vhost", "services": ["agent", "tsi"] } ],
        "hybrid": "client.vsock", "outbound": "client.out", "inbound": "client.in",
        "inboundPorts": [ { "port": 8080, "socket": "client.in_8080" } ] } ], "rescueUs": 100 }"#;

    #[test]
    fn the_documented_form_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.pace, Pace { rescue_us: 100, poll_us: 0 });
        assert_eq!(config.guests[0].address, Ipv4Addr::new(10, 10, 1, 10));
        assert_eq!(config.guests[0].devices[0].services, [Service::Agent, Service::Tsi]);
        assert_eq!(config.guests[0].inbound_ports[0].port, 8080);
    }

    #[test]
    fn faults_are_named() {
        let says = |text: String| Config::parse(&text).unwrap_err().to_string();
        assert_eq!(
            says(GOOD.replace("\"cid\": 3", "\"cid\": 2")),
            "guest client: cid: 2 is not a guest's, use 3 to 4294967294"
        );
        assert!(says(GOOD.replace("hybrid", "hibrid")).contains("unknown field `hibrid`"));
        assert!(says(GOOD.replace("[\"agent\", \"tsi\"]", "[]")).contains("serves nothing"));
        assert!(says(GOOD.replace("rescueUs", "rescue")).contains("rescue"));
        assert_eq!(says(r#"{"guests":[]}"#.into()), "guests: name at least one guest");
    }
}
