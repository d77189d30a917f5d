//! Socket options of TCP that vsock lacks: which of them a moved socket takes, and what it answers. No system call here.
//!
//! Numbers: include/uapi/linux/{tcp,in,in6}.h and asm-generic/socket.h. A moved socket keeps none of these values but
//! IPV6_V6ONLY, for nothing would come of them: reading one tells what is true on vsock, or the kernel's default for TCP.

#![forbid(unsafe_code)]

/// Levels of `getsockopt` and `setsockopt`.
pub const SOL_SOCKET: u32 = 1;
/// IPv4's level
pub const IPPROTO_IP: u32 = 0;
/// TCP's level
pub const IPPROTO_TCP: u32 = 6;
/// IPv6's level
pub const IPPROTO_IPV6: u32 = 41;

/// SO_ERROR: vsock calls a refused connection reset.
pub const SO_ERROR: u32 = 4;
/// SO_REUSEPORT: kernels from 6.13 on refuse it to vsock.
pub const SO_REUSEPORT: u32 = 15;
/// SO_PROTOCOL: 0 on vsock.
pub const SO_PROTOCOL: u32 = 38;
/// SO_DOMAIN: AF_VSOCK on vsock.
pub const SO_DOMAIN: u32 = 39;

/// Options of SOL_SOCKET that are read from us.
pub const READ_OF_SOCKET: [u32; 3] = [SO_ERROR, SO_PROTOCOL, SO_DOMAIN];
/// Options of SOL_SOCKET some kernels refuse to set on vsock, though nothing would come of them there.
pub const SET_OF_SOCKET: [u32; 1] = [SO_REUSEPORT];

/// TCP_INFO
const TCP_INFO: u32 = 11;
/// TCP_ESTABLISHED, first byte of struct tcp_info (include/net/tcp_states.h).
const TCP_ESTABLISHED: u8 = 1;
/// Bytes of struct tcp_info in Linux 6.1.
const TCP_INFO_LENGTH: usize = 240;

/// An option that holds one number: its name, and what a moved socket says it is.
type Number = (u32, i32);

/// TCP options which may be set and have no effect on vsock.
pub const TCP: [Number; 20] = [
    (1, 1),       // TCP_NODELAY: vsock holds nothing back, so this is true whatever was set
    (2, 1448),    // TCP_MAXSEG
    (3, 0),       // TCP_CORK
    (4, 7200),    // TCP_KEEPIDLE, s
    (5, 75),      // TCP_KEEPINTVL, s
    (6, 9),       // TCP_KEEPCNT
    (7, 6),       // TCP_SYNCNT
    (8, 60),      // TCP_LINGER2, s
    (9, 0),       // TCP_DEFER_ACCEPT
    (10, 65_536), // TCP_WINDOW_CLAMP
    (12, 1),      // TCP_QUICKACK
    (16, 0),      // TCP_THIN_LINEAR_TIMEOUTS
    (17, 0),      // TCP_THIN_DUPACK
    (18, 0),      // TCP_USER_TIMEOUT, ms
    (23, 0),      // TCP_FASTOPEN
    (24, 0),      // TCP_TIMESTAMP
    (25, -1),     // TCP_NOTSENT_LOWAT
    (30, 0),      // TCP_FASTOPEN_CONNECT
    (36, 0),      // TCP_INQ
    (37, 0),      // TCP_TX_DELAY
];
/// TCP_CONGESTION holds a name, and may be set too.
pub const TCP_CONGESTION: u32 = 13;

/// IPv4 options a TCP program sets or reads; those of UDP alone are not here, so that UDP keeps its quick way.
pub const IP: [Number; 8] = [
    (1, 0),     // IP_TOS
    (2, 64),    // IP_TTL
    (10, 1),    // IP_MTU_DISCOVER
    (14, 1500), // IP_MTU
    (15, 0),    // IP_FREEBIND
    (19, 0),    // IP_TRANSPARENT
    (24, 0),    // IP_BIND_ADDRESS_NO_PORT
    (51, 0),    // IP_LOCAL_PORT_RANGE
];

/// IPV6_V6ONLY, the one of these that matters: it says which ports a listener takes.
pub const IPV6_V6ONLY: u32 = 26;

/// IPv6 options a TCP program sets or reads.
pub const IPV6: [Number; 5] = [
    (16, 64), // IPV6_UNICAST_HOPS
    (IPV6_V6ONLY, 0),
    (67, 0), // IPV6_TCLASS
    (75, 0), // IPV6_TRANSPARENT
    (78, 0), // IPV6_FREEBIND
];

/// What `getsockopt` of a level above SOL_SOCKET answers on a moved socket; None: ENOPROTOOPT.
#[must_use]
pub fn read(level: u32, name: u32) -> Option<Vec<u8>> {
    let table: &[Number] = match level {
        IPPROTO_TCP if name == TCP_INFO => {
            let mut info = vec![0; TCP_INFO_LENGTH];
            info[0] = TCP_ESTABLISHED;
            return Some(info);
        }
        IPPROTO_TCP if name == TCP_CONGESTION => return Some(b"cubic\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        IPPROTO_TCP => &TCP,
        IPPROTO_IP => &IP,
        IPPROTO_IPV6 => &IPV6,
        _ => return None,
    };
    table.iter().find(|(option, _)| *option == name).map(|(_, value)| value.to_ne_bytes().to_vec())
}

/// Whether `setsockopt` of a level above SOL_SOCKET succeeds on a moved socket. What promises security or changes the
/// bytes (TCP_ULP, TCP_MD5SIG, TCP_AO, TCP_REPAIR) does not.
#[must_use]
pub fn may_set(level: u32, name: u32) -> bool {
    name != TCP_INFO && read(level, name).is_some()
}

/// The names in a table, for the filter.
#[must_use]
pub fn names(table: &[Number]) -> Vec<u32> {
    table.iter().map(|(name, _)| *name).collect()
}
