//! The guest's network: loopback, its interface, kernel settings.

#![forbid(unsafe_code)]

use crate::config::Interface;
use std::io::Write;
use std::process::{Command, Stdio};

/// Something that could not be set.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {because}")]
pub struct NetworkError {
    what: String,
    because: String,
}

/// Loopback up, and the interface as its pod's.
///
/// # Errors
/// With what `ip` says.
pub fn configure(interface: Option<&Interface>) -> Result<(), NetworkError> {
    let mut lines = vec!["link set lo up".to_owned()];
    if let Some(Interface { device, name, mac, mtu, address, gateway }) = interface {
        lines.extend([
            format!("link set {device} name {name} address {mac} mtu {mtu}"),
            format!("addr add {address} dev {name}"),
            format!("link set {name} up"),
            format!("route add default via {gateway} dev {name}"),
        ]);
    }
    ip(&lines)
}

/// All lines by one process.
fn ip(lines: &[String]) -> Result<(), NetworkError> {
    let failed = |because: String| NetworkError { what: "ip -batch".into(), because };
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut input) = child.stdin.take() {
        let _it_says_why = input.write_all(format!("{}\n", lines.join("\n")).as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")))
}

/// One kernel setting, e.g. `net.ipv4.tcp_tw_reuse`.
///
/// # Errors
/// Where the kernel has no such setting or refuses the value.
pub fn sysctl(name: &str, value: &str) -> Result<(), NetworkError> {
    std::fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value)
        .map_err(|error| NetworkError { what: format!("{name}={value}"), because: error.to_string() })
}
