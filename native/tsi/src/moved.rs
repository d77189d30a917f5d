//! What the system calls of a program mean on a moved socket; shared by the supervisor and the preloaded library.
//!
//! Nothing is remembered about a socket but what the kernel keeps in it, so `dup`, `fork`, `exec`, SCM_RIGHTS and any number
//! of threads need no bookkeeping, and no state can grow stale. Calls on sockets that are not moved say `Foreign`.

#![forbid(unsafe_code)]

use crate::address::{self, Family, Pod, Seat, Vsock};
pub use crate::connect::connect;
use crate::filter;
use crate::mark::Mark;
use crate::options;
use crate::socket::{self, End};
use crate::{port, sibling};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::net::SocketAddrV4;

/// Shortest queue of a listener: where TCP lets a caller try again, vsock refuses it once the queue is full.
const LEAST_BACKLOG: i32 = 1024;

/// Whether `socket` makes a socket that is moved: its family, and SOCK_NONBLOCK and SOCK_CLOEXEC of its kind.
#[must_use]
pub fn birth(domain: u32, kind: u32, protocol: u32) -> Option<(Family, u32)> {
    let stream = kind & filter::TYPE_MASK == filter::STREAM && filter::PROTOCOLS.contains(&protocol);
    let flags = kind & (libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as u32;
    match domain {
        filter::AF_INET if stream => Some((Family::V4, flags)),
        filter::AF_INET6 if stream => Some((Family::V6, flags)),
        _ => None,
    }
}

/// What became of a call.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was made, with this result.
    Done(Result<T, Errno>),
    /// The socket is not a moved one: the kernel shall make the call as it is.
    Foreign,
    /// It was made, with this result, on another socket, which must take the place of the program's.
    Replace(OwnedFd, Result<T, Errno>),
}

/// `bind`. `may_bind`: whether the program has the right to this port.
#[must_use]
pub fn bind(socket: BorrowedFd<'_>, name: &[u8], pod: Pod, may_bind: impl FnOnce(u16) -> bool) -> Outcome<()> {
    let at = match address::parse(name) {
        Ok(Some(at)) if socket::is_vsock(socket) => at,
        _ => return Outcome::Foreign,
    };
    if at.port() != 0 && !may_bind(at.port()) {
        return Outcome::Done(Err(Errno::ACCESS));
    }
    if at.is_ipv6() && Mark::of(socket).is_v6_only() {
        return bind_v6_only(socket, name, at.port());
    }
    match address::seat(at, pod) {
        Err(error) => Outcome::Done(Err(error)),
        Ok(Seat::Moved(at)) => Outcome::Done(port::bind(socket, at)),
        Ok(Seat::Loopback) => bind_tcp(socket, name),
    }
}

fn bind_tcp(socket: BorrowedFd<'_>, name: &[u8]) -> Outcome<()> {
    match sibling::tcp(socket).and_then(|tcp| socket::bind_as(tcp.as_fd(), name).map(|()| tcp)) {
        Ok(tcp) => Outcome::Replace(tcp, Ok(())),
        Err(error) => Outcome::Done(Err(error)),
    }
}

/// No IPv6 comes over vsock. A listener for IPv6 alone has its port in the guest's TCP, and leaves vsock's to the one for
/// IPv4 that is usually beside it; where the guest has no IPv6, it has a port nobody calls.
fn bind_v6_only(socket: BorrowedFd<'_>, name: &[u8], port: u16) -> Outcome<()> {
    match bind_tcp(socket, name) {
        Outcome::Done(Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)) => {
            Outcome::Done(port::bind(socket, Vsock { cid: address::ANY, port: address::UNCALLED + u32::from(port) }))
        }
        outcome => outcome,
    }
}

/// `listen`; binds to a free port if the program did not.
#[must_use]
pub fn listen(socket: BorrowedFd<'_>, backlog: i32) -> Outcome<()> {
    let Some(local) = socket::name(socket, End::Near).ok().and_then(|name| name.vsock()) else {
        return Outcome::Foreign;
    };
    if local.port == address::ANY
        && let Err(error) = port::bind(socket, Vsock { cid: address::ANY, port: 0 })
    {
        return Outcome::Done(Err(error));
    }
    Outcome::Done(socket::listen(socket, backlog.max(LEAST_BACKLOG)))
}

/// `getsockname` and `getpeername`. The pod is asked for only if the socket is a moved one; without it, it is left alone.
#[must_use]
pub fn name(socket: BorrowedFd<'_>, end: End, pod: impl FnOnce() -> Option<Pod>) -> Outcome<(SocketAddrV4, Family)> {
    let Some(local) = socket::name(socket, End::Near).ok().and_then(|name| name.vsock()) else {
        return Outcome::Foreign;
    };
    let Some(pod) = pod() else { return Outcome::Foreign };
    let peer = match (end, local.cid) {
        // Its CID already says which of its addresses was called.
        (End::Near, cid) if cid != address::ANY => Ok(None),
        _ => socket::name(socket, End::Far).map(|name| name.vsock()),
    };
    let name = match (end, peer) {
        (End::Near, peer) => address::local_name(local, peer.ok().flatten(), pod),
        (End::Far, Ok(Some(peer))) => address::peer_name(peer, local, pod),
        (End::Far, peer) => return Outcome::Done(Err(peer.err().unwrap_or(Errno::NOTCONN))),
    };
    Outcome::Done(Ok((name, Mark::of(socket).family())))
}

/// The name `accept` tells of a new connection.
#[must_use]
pub fn caller(connection: BorrowedFd<'_>, peer: Vsock, pod: Pod) -> (SocketAddrV4, Family) {
    // Which of the guest's addresses was called matters only to a call from the guest itself.
    let local = match peer.cid {
        address::CID_LOCAL => socket::name(connection, End::Near).ok().and_then(|name| name.vsock()),
        _ => None,
    };
    let local = local.unwrap_or(Vsock { cid: address::ANY, port: address::ANY });
    (address::peer_name(peer, local, pod), Mark::of(connection).family())
}

/// `getsockopt`: the value's bytes.
#[must_use]
pub fn option(socket: BorrowedFd<'_>, level: u32, option: u32) -> Outcome<Vec<u8>> {
    if (level, option) == (options::SOL_SOCKET, options::SO_ERROR) {
        return pending_error(socket);
    }
    if !socket::is_vsock(socket) {
        return Outcome::Foreign;
    }
    let number = |value: i32| Outcome::Done(Ok(value.to_ne_bytes().to_vec()));
    match (level, option) {
        (options::SOL_SOCKET, options::SO_PROTOCOL) => number(libc::IPPROTO_TCP),
        (options::SOL_SOCKET, options::SO_DOMAIN) => match Mark::of(socket).family() {
            Family::V4 => number(libc::AF_INET),
            Family::V6 => number(libc::AF_INET6),
        },
        (options::IPPROTO_IPV6, options::IPV6_V6ONLY) => number(i32::from(Mark::of(socket).is_v6_only())),
        _ => Outcome::Done(options::read(level, option).ok_or(Errno::NOPROTOOPT)),
    }
}

/// The usual answer, no error, is the same on any socket: then the kernel may as well give it itself.
fn pending_error(socket: BorrowedFd<'_>) -> Outcome<Vec<u8>> {
    match socket::number_option(socket, libc::SO_ERROR) {
        Ok(0) | Err(_) => Outcome::Foreign,
        Ok(libc::ECONNRESET) if socket::is_vsock(socket) => {
            Outcome::Done(Ok(libc::ECONNREFUSED.to_ne_bytes().to_vec()))
        }
        Ok(error) => Outcome::Done(Ok(error.to_ne_bytes().to_vec())),
    }
}

/// `setsockopt` of an option vsock lacks. The value, a number, is asked for only if it matters.
#[must_use]
pub fn set_option(
    socket: BorrowedFd<'_>,
    level: u32,
    option: u32,
    value: impl FnOnce() -> Result<i32, Errno>,
) -> Outcome<()> {
    if !socket::is_vsock(socket) {
        return Outcome::Foreign;
    }
    Outcome::Done(match (level, option) {
        (options::IPPROTO_IPV6, options::IPV6_V6ONLY) => {
            value().and_then(|on| Mark::of(socket).with_v6_only(on != 0).put(socket))
        }
        (options::SOL_SOCKET, options::SO_REUSEPORT) => Ok(()),
        _ if options::may_set(level, option) => Ok(()),
        _ => Err(Errno::NOPROTOOPT),
    })
}

/// `ioctl` FIONREAD (bytes to be read), SIOCOUTQ (unsent), SIOCATMARK, which vsock lacks.
#[must_use]
pub fn ioctl(socket: BorrowedFd<'_>, request: u32) -> Outcome<i32> {
    if !socket::is_vsock(socket) {
        return Outcome::Foreign;
    }
    Outcome::Done(if request == libc::FIONREAD as u32 { unread(socket) } else { Ok(0) })
}

/// Bytes waiting, as a look at them tells; vsock's receive buffer holds so many at most.
fn unread(socket: BorrowedFd<'_>) -> Result<i32, Errno> {
    use rustix::net::{RecvFlags, recv};
    let mut buffer = vec![0; 256 << 10];
    match recv(socket, &mut buffer[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((length, _)) => Ok(length as i32),
        Err(Errno::AGAIN | Errno::NOTCONN) => Ok(0),
        Err(error) => Err(error),
    }
}
