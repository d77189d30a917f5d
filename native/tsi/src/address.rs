//! Which vsock address stands for which TCP address (`native/PROTOCOL.md`, "TSI, version 1"). No system call here.

#![forbid(unsafe_code)]

use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// CID of a guest's own loopback (VMADDR_CID_LOCAL).
pub const CID_LOCAL: u32 = 1;
/// CID of the device itself (VMADDR_CID_HOST).
pub const CID_DEVICE: u32 = 2;
/// "Any" in a CID and in a port (VMADDR_CID_ANY, VMADDR_PORT_ANY).
pub const ANY: u32 = u32::MAX;

/// First vsock port of listeners that nobody calls: for each TCP port one, just below `ANY`.
pub const UNCALLED: u32 = 0xfffe_0000;

/// sa_family of IPv4 and IPv6 (include/linux/socket.h).
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// Bytes of struct sockaddr_in, and the least the kernel takes for a sockaddr_in6 (RFC 2133) and writes for one.
const LENGTH_V4: usize = 16;
const LEAST_V6: usize = 24;
const LENGTH_V6: usize = 28;

/// A vsock address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vsock {
    /// Machine, or the IPv4 address it stands for.
    pub cid: u32,
    /// Port; those above 65535 have no TCP port of their own.
    pub port: u32,
}

/// Family a program gave its socket; names are told in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// AF_INET
    V4,
    /// AF_INET6
    V6,
}

/// The pod a program runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pod {
    /// Its address on the pod network.
    pub address: Ipv4Addr,
    /// The guest's CID; that of its loopback where it is not known.
    pub cid: u32,
}

/// Where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Over vsock to this address.
    Moved(Vsock),
    /// To the guest itself: over vsock loopback if somebody listens there, else by real TCP.
    Loopback(Vsock),
}

/// What a socket is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// A vsock port: of the loopback and the pod (CID any), or the pod alone (guest's CID). Port 0: any free one.
    Moved(Vsock),
    /// The guest's real loopback.
    Loopback,
}

/// Reads a struct sockaddr; None if it is not of the internet.
///
/// # Errors
/// EINVAL when it is too short, as the kernel says.
pub fn parse(bytes: &[u8]) -> Result<Option<SocketAddr>, Errno> {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Err(Errno::INVAL) };
    match u16::from_ne_bytes(*family) {
        AF_INET if bytes.len() >= LENGTH_V4 => {
            let ip = [rest[2], rest[3], rest[4], rest[5]];
            Ok(Some(SocketAddrV4::new(ip.into(), port_of(rest)).into()))
        }
        AF_INET6 if bytes.len() >= LEAST_V6 => {
            let mut ip = [0; 16];
            ip.copy_from_slice(&rest[6..22]);
            Ok(Some(SocketAddrV6::new(ip.into(), port_of(rest), 0, 0).into()))
        }
        AF_INET | AF_INET6 => Err(Errno::INVAL),
        _ => Ok(None),
    }
}

fn port_of(rest: &[u8]) -> u16 {
    u16::from_be_bytes([rest[0], rest[1]])
}

/// An address in the form a program of the family reads; the second value is how many bytes of it count.
#[must_use]
pub fn encode(name: SocketAddrV4, family: Family) -> ([u8; LENGTH_V6], usize) {
    let mut bytes = [0; LENGTH_V6];
    bytes[2..4].copy_from_slice(&name.port().to_be_bytes());
    match family {
        Family::V4 => {
            bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
            bytes[4..8].copy_from_slice(&name.ip().octets());
            (bytes, LENGTH_V4)
        }
        Family::V6 => {
            let ip = match *name.ip() {
                Ipv4Addr::UNSPECIFIED => Ipv6Addr::UNSPECIFIED,
                Ipv4Addr::LOCALHOST => Ipv6Addr::LOCALHOST,
                ip => ip.to_ipv6_mapped(),
            };
            bytes[..2].copy_from_slice(&AF_INET6.to_ne_bytes());
            bytes[8..24].copy_from_slice(&ip.octets());
            (bytes, LENGTH_V6)
        }
    }
}

/// The IPv4 address meant: IPv4 itself, mapped, or the two of IPv6 that have a sibling there.
fn as_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    }
}

/// Where `connect` to an address leads.
///
/// # Errors
/// ENETUNREACH for IPv6 and for addresses whose numbers mean something else to vsock.
pub fn route(to: SocketAddr, pod: Pod) -> Result<Route, Errno> {
    let ip = as_v4(to.ip()).ok_or(Errno::NETUNREACH)?;
    let port = u32::from(to.port());
    if ip.is_loopback() || ip.is_unspecified() {
        return Ok(Route::Loopback(Vsock { cid: CID_LOCAL, port }));
    }
    if ip == pod.address {
        return Ok(Route::Moved(Vsock { cid: pod.cid, port }));
    }
    match u32::from(ip) {
        0..=3 | ANY => Err(Errno::NETUNREACH),
        cid => Ok(Route::Moved(Vsock { cid, port })),
    }
}

/// What `bind` to an address means.
///
/// # Errors
/// EADDRNOTAVAIL for an address that is not the pod's.
pub fn seat(at: SocketAddr, pod: Pod) -> Result<Seat, Errno> {
    let port = u32::from(at.port());
    match as_v4(at.ip()) {
        Some(ip) if ip.is_unspecified() => Ok(Seat::Moved(Vsock { cid: ANY, port })),
        Some(ip) if ip.is_loopback() => Ok(Seat::Loopback),
        Some(ip) if ip == pod.address && pod.cid != CID_LOCAL => Ok(Seat::Moved(Vsock { cid: pod.cid, port })),
        Some(ip) if ip == pod.address => Ok(Seat::Moved(Vsock { cid: ANY, port })),
        _ => Err(Errno::ADDRNOTAVAIL),
    }
}

/// The TCP port a vsock port is told as.
#[must_use]
pub fn name_port(port: u32) -> u16 {
    u16::try_from(port).unwrap_or((1024 + port % 64_512) as u16)
}

/// What `getsockname` tells; `peer` is the far end once there is one.
#[must_use]
pub fn local_name(local: Vsock, peer: Option<Vsock>, pod: Pod) -> SocketAddrV4 {
    let ip = match (local.cid, peer) {
        (CID_LOCAL, _) => Ipv4Addr::LOCALHOST,
        (ANY, None) => Ipv4Addr::UNSPECIFIED,
        (ANY, Some(Vsock { cid: CID_LOCAL, .. })) => Ipv4Addr::LOCALHOST,
        _ => pod.address,
    };
    let port = match (local.port, peer) {
        (ANY, _) => 0,
        (UNCALLED.., None) => local.port as u16,
        (port, _) => name_port(port),
    };
    SocketAddrV4::new(ip, port)
}

/// What `getpeername` and `accept` tell; `local` is the near end.
#[must_use]
pub fn peer_name(peer: Vsock, local: Vsock, pod: Pod) -> SocketAddrV4 {
    let ip = match peer.cid {
        // A call from the guest itself carries CID 1 as its source whichever of its addresses it went to.
        CID_LOCAL if local.cid == pod.cid && local.cid != CID_LOCAL => pod.address,
        CID_LOCAL => Ipv4Addr::LOCALHOST,
        cid if cid == pod.cid => pod.address,
        cid => cid.into(),
    };
    SocketAddrV4::new(ip, name_port(peer.port))
}
