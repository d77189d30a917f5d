//! Doors into a guest: listening sockets of the host, and what a caller says at each before its stream begins.

#![forbid(unsafe_code)]

use crate::uplink::{Readiness, StreamId};
use crate::{hybrid, proxy_protocol};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// Calls that wait to be taken at one door.
const BACKLOG: i32 = 4096;

/// What is said at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `CONNECT <port>`: the sandbox's own services.
    Hybrid,
    /// A PROXY v2 header that names the caller and a port of the pod with this address.
    Pod(Ipv4Addr),
    /// A PROXY v2 header that names the caller; the port is given.
    Port(u16),
}

/// Whom a caller wants to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// A service of the sandbox.
    Agent(u32),
    /// A TCP port of the pod, in this caller's name.
    Tcp(SocketAddrV4, u16),
}

/// A call into the guest that has said whom it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The socket, to be given a stream by `bind` or closed by `hang_up`.
    pub socket: u32,
    /// Whom it calls, in whose name.
    pub greeting: Greeting,
}

/// What an event has brought.
#[derive(Debug, Default)]
pub struct Woken {
    /// News of a stream, for the device.
    pub ready: Vec<(StreamId, Readiness)>,
    /// Calls into the guest.
    pub calls: Vec<Call>,
}

impl Greeting {
    /// What the caller is told when the guest has taken its call.
    #[must_use]
    pub fn first_words(&self) -> Vec<u8> {
        match self {
            Self::Agent(port) => format!("OK {port}\n").into_bytes(),
            Self::Tcp(..) => Vec::new(),
        }
    }
}

impl Door {
    /// Takes the greeting from a socket, and nothing behind it; `None` until all of it is there.
    ///
    /// # Errors
    /// When the caller has gone, or says something else.
    pub fn greeting(self, socket: &OwnedFd) -> io::Result<Option<Greeting>> {
        let mut bytes = [0; proxy_protocol::LONGEST];
        let length = match net::recv(socket, &mut bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let Some((greeting, length)) = self.parse(&bytes[..length])? else { return Ok(None) };
        net::recv(socket, &mut bytes[..length], RecvFlags::DONTWAIT)?;
        Ok(Some(greeting))
    }

    fn parse(self, bytes: &[u8]) -> io::Result<Option<(Greeting, usize)>> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if self == Self::Hybrid {
            let line = hybrid::parse(bytes).map_err(|error| invalid(&error.to_string()))?;
            return Ok(line.map(|line| (Greeting::Agent(line.port), line.length)));
        }
        let header = proxy_protocol::parse(bytes).map_err(|error| invalid(&error.to_string()))?;
        let Some(header) = header else { return Ok(None) };
        let port = match self {
            Self::Port(port) => port,
            Self::Pod(address) if address == *header.to.ip() => header.to.port(),
            _ => return Err(invalid("another pod's address")),
        };
        Ok(Some((Greeting::Tcp(header.from, port), header.length)))
    }
}

/// Listens at a path; one left over from a process that has ended is replaced.
///
/// # Errors
/// With the path, when it cannot be listened on.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let at = |errno: Errno| io::Error::new(io::Error::from(errno).kind(), format!("{}: {errno}", path.display()));
    let address = SocketAddrUnix::new(path).map_err(at)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(at)?;
    if net::connect(&socket, &address) == Err(Errno::CONNREFUSED) {
        rustix::fs::unlink(path).map_err(at)?;
    }
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(at)?;
    net::bind(socket.as_fd(), &address).map_err(at)?;
    net::listen(&socket, BACKLOG).map_err(at)?;
    Ok(socket)
}
