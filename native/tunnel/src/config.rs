//! The configuration file of `dpb-tunnel` (`native/PROTOCOL.md`).

#![forbid(unsafe_code)]

use serde::Deserialize;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// SO_MARK of a mesh proxy's sockets, as Istio's.
pub const MESH_MARK: u32 = 1337;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Pods served by this process.
    pub pods: Vec<PodConfig>,
}

/// One pod: where it is, who it is, whom it may call and who may call it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PodConfig {
    /// Its name in statistics and baggage.
    pub name: String,
    /// Its address: the only one that tunnels into it may name.
    pub address: Ipv4Addr,
    /// Its network namespace; none: the one this process runs in.
    #[serde(default)]
    pub netns: Option<PathBuf>,
    /// SO_MARK of the proxy's own sockets in the pod; 0 sets none.
    #[serde(default = "mesh_mark")]
    pub mark: u32,
    /// PEM: the pod's certificate chain, leaf first, with its SPIFFE id as the only URI name.
    pub certificate: PathBuf,
    /// PEM: the leaf's private key.
    pub key: PathBuf,
    /// PEM: the roots of the mesh.
    pub roots: PathBuf,
    /// Listen on 15001, 15006 and 15008 in the pod's namespace.
    #[serde(default)]
    pub capture: bool,
    /// The same as a sidecar: the application is reached from 127.0.0.6.
    #[serde(default)]
    pub sidecar: bool,
    /// Unix socket to listen on for the application's connections, each begun by a PROXY v2 header, in place of 15001.
    #[serde(default)]
    pub outbound_socket: Option<PathBuf>,
    /// Unix socket that leads to the application, each connection begun by a PROXY v2 header, in place of TCP.
    #[serde(default)]
    pub inbound_socket: Option<PathBuf>,
    /// Whom the pod may call, and who must answer.
    #[serde(default)]
    pub reaches: Vec<Reach>,
    /// SPIFFE ids of those who may call the pod.
    #[serde(default)]
    pub admits: Vec<String>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reach {
    /// Original destination address.
    pub to: Ipv4Addr,
    /// SPIFFE id that the far proxy must prove.
    pub peer: String,
    /// Where the tunnel goes, if not to the destination itself: a waypoint.
    #[serde(default)]
    pub via: Option<Ipv4Addr>,
}

fn mesh_mark() -> u32 {
    MESH_MARK
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
        let config: Self = serde_json::from_str(&text).map_err(|error| named(error.to_string()))?;
        check_pods(&config.pods).map_err(|error| named(error.0))?;
        Ok(config)
    }
}

/// Checks what the form alone does not tell.
///
/// # Errors
/// When pods contradict themselves or each other.
pub fn check_pods(pods: &[PodConfig]) -> Result<(), ConfigError> {
    let mut names = HashSet::new();
    for pod in pods {
        let wrong = |problem: String| Err(ConfigError(format!("pod «{}»: {problem}", pod.name)));
        if pod.name.is_empty() || !names.insert(&pod.name) {
            return wrong("is named so twice or has no name; give each pod its own".into());
        }
        if pod.capture && pod.sidecar {
            return wrong("has capture and sidecar; a proxy is one of them".into());
        }
        if let Some(id) = pod.reaches.iter().map(|reach| &reach.peer).chain(&pod.admits).find(|id| !is_spiffe_id(id)) {
            return wrong(format!("«{id}» is no SPIFFE id; write spiffe://trust-domain/path"));
        }
        let mut reached = HashSet::new();
        if let Some(twice) = pod.reaches.iter().find(|reach| !reached.insert(reach.to)) {
            return wrong(format!("reaches {} twice; leave one", twice.to));
        }
    }
    Ok(())
}

/// Whether a text is `spiffe://trust-domain/path`.
#[must_use]
pub fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !domain.is_empty()
        && domain.bytes().all(letter)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.bytes().all(letter))
}

/// The trust domain of a SPIFFE id.
#[must_use]
pub fn trust_domain(spiffe_id: &str) -> &str {
    spiffe_id.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(extra: &str) -> Result<(), String> {
        let text =
            format!(r#"{{"name":"client","address":"10.0.0.1","certificate":"c","key":"k","roots":"r"{extra}}}"#);
        let pod: PodConfig = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        check_pods(std::slice::from_ref(&pod)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(pod(""), Ok(()));
        assert!(pod(r#","captures":true"#).unwrap_err().contains("captures"));
        assert!(pod(r#","capture":true,"sidecar":true"#).unwrap_err().contains("one of them"));
        assert!(pod(r#","admits":["client"]"#).unwrap_err().contains("«client» is no SPIFFE id"));
        let twice = r#"{"to":"10.0.0.2","peer":"spiffe://a/b"}"#;
        assert!(pod(&format!(r#","reaches":[{twice},{twice}]"#)).unwrap_err().contains("10.0.0.2 twice"));
        assert!(pod(r#","reaches":[{"to":"server","peer":"spiffe://a/b"}]"#).is_err());
    }

    #[test]
    fn spiffe_ids_are_told_from_other_texts() {
        assert!(is_spiffe_id("spiffe://cluster.local/ns/bench/sa/client"));
        for wrong in [
            "",
            "spiffe://",
            "spiffe:///x",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a/b/",
            "spiffe://a/../b",
            "https://a/b",
        ] {
            assert!(!is_spiffe_id(wrong), "{wrong}");
        }
        assert_eq!(trust_domain("spiffe://cluster.local/ns/x"), "cluster.local");
    }
}
