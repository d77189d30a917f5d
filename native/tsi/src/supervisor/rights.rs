//! Whether a program may bind a low TCP port. The supervisor binds for it, perhaps with more rights than it has.

#![forbid(unsafe_code)]

use super::process::status_field;

/// CAP_NET_BIND_SERVICE (include/uapi/linux/capability.h).
const NET_BIND_SERVICE: u32 = 10;
/// First port anyone may bind, where the kernel has no setting.
const FIRST_FREE: u16 = 1024;

/// Whether a thread may bind a TCP port.
#[must_use]
pub fn may_bind(thread: u32, port: u16) -> bool {
    port >= FIRST_FREE || port >= first_free() || has_capability(thread)
}

fn first_free() -> u16 {
    let setting = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    setting.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(FIRST_FREE)
}

fn has_capability(thread: u32) -> bool {
    let effective = status_field(thread, "CapEff:").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    effective.is_some_and(|mask| mask >> NET_BIND_SERVICE & 1 == 1)
}
