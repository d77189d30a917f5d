//! What the harness wants of a guest: a JSON file named on the kernel's command line (`dpb_config=/…`).

#![forbid(unsafe_code)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Host name of the guest.
    pub hostname: String,
    /// vsock port of the agent.
    pub port: u32,
    /// Kernel modules to load, in order: absolute paths.
    #[serde(default)]
    pub modules: Vec<PathBuf>,
    /// The one folder that guest and host share for writing.
    #[serde(default)]
    pub share: Option<Share>,
    /// The network interface, if the guest has one.
    #[serde(default)]
    pub interface: Option<Interface>,
    /// Kernel settings, e.g. `net.ipv4.tcp_tw_reuse`.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
}

/// A folder of the host inside the guest, at the same path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    /// Absolute path.
    pub path: PathBuf,
    /// `hostfs` or `9p`.
    pub file_system: String,
    /// Mount options: the host's path for hostfs, transport for 9p.
    pub options: String,
    /// What is mounted: `none` for hostfs, the tag for 9p.
    pub source: String,
}

/// The guest's network interface, named and addressed as its pod's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Interface {
    /// Name that the kernel gives it, e.g. `vec0`.
    pub device: String,
    /// Name that it gets, e.g. `eth0`.
    pub name: String,
    /// Hardware address.
    pub mac: String,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Address with its prefix length, e.g. `10.10.1.10/24`.
    pub address: String,
    /// Default gateway.
    pub gateway: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The kernel's command line names no file.
    #[error("the kernel’s command line has no dpb_config=/path")]
    NotNamed,
    /// The file cannot be read.
    #[error("{0}: {1}; is it readable for the sandbox’s user?")]
    NotReadable(PathBuf, std::io::Error),
    /// It is not what it should be.
    #[error("{0}: {1}")]
    Malformed(PathBuf, serde_json::Error),
}

/// Value of a word `name=value` on the kernel's command line; the last one counts, as with the kernel's own.
#[must_use]
pub fn parameter<'a>(command_line: &'a str, name: &str) -> Option<&'a str> {
    command_line.split_whitespace().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// Reads the file that the kernel's command line names.
///
/// # Errors
/// Where it is not named, not readable or malformed.
pub fn read(command_line: &str) -> Result<Config, ConfigError> {
    let path = PathBuf::from(parameter(command_line, "dpb_config").ok_or(ConfigError::NotNamed)?);
    let text = std::fs::read(&path).map_err(|error| ConfigError::NotReadable(path.clone(), error))?;
    serde_json::from_slice(&text).map_err(|error| ConfigError::Malformed(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_name_counts() {
        let line = "mem=256M dpb_config=/a dpb_config_other=/x root=/dev/root dpb_config=/b\n";
        assert_eq!(parameter(line, "dpb_config"), Some("/b"));
        assert_eq!(parameter(line, "init"), None);
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        assert!(matches!(read("quiet"), Err(ConfigError::NotNamed)));
        assert!(matches!(read("dpb_config=/nowhere/at/all"), Err(ConfigError::NotReadable(..))));
        assert!(matches!(read("dpb_config=/proc/version"), Err(ConfigError::Malformed(..))));
    }
}
