//! Non-blocking TCP sockets in one epoll set, every call once.

use crate::LoadError;
use crate::tally::Kind;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use std::net::SocketAddr;

/// Events of one wait: slot and flags.
pub type Events = Vec<epoll::Event>;

/// Sockets that are watched for edges.
#[derive(Debug)]
pub struct Poll(OwnedFd);

impl Poll {
    /// An empty set.
    ///
    /// # Errors
    /// When the kernel has no descriptor left.
    pub fn new() -> Result<Self, LoadError> {
        epoll::create(epoll::CreateFlags::CLOEXEC).map(Self).map_err(LoadError::system("epoll_create1"))
    }

    /// Begins to connect, and watches the socket as `slot`. One registration serves its whole life: edges need no change
    /// between reading and writing.
    ///
    /// # Errors
    /// The kind of failure.
    pub fn connect(&self, address: SocketAddr, slot: usize) -> Result<OwnedFd, Kind> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = || {
            let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
            net::sockopt::set_tcp_nodelay(&socket, true)?;
            match net::connect(&socket, &address) {
                Ok(()) | Err(Errno::INPROGRESS) => {}
                Err(error) => return Err(error),
            }
            let interest =
                epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&self.0, &socket, epoll::EventData::new_u64(slot as u64), interest)?;
            Ok(socket)
        };
        open().map_err(Kind::of_connect)
    }

    /// Fills `events` with what happened, after at most `timeout_ns`.
    ///
    /// # Errors
    /// When the kernel refuses what it never should.
    pub fn wait(&self, events: &mut Events, timeout_ns: u64) -> Result<(), LoadError> {
        events.clear();
        let timeout =
            Timespec { tv_sec: (timeout_ns / 1_000_000_000) as i64, tv_nsec: (timeout_ns % 1_000_000_000) as i64 };
        match epoll::wait(&self.0, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(LoadError::system("epoll_pwait2")(error)),
        }
    }
}

/// Whether a socket that became writable is connected.
///
/// # Errors
/// The kind of failure.
pub fn connected(socket: &OwnedFd) -> Result<(), Kind> {
    match net::sockopt::socket_error(socket) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) | Err(error) => Err(Kind::of_connect(error)),
    }
}

/// Reads once; `None` when there is nothing now.
///
/// # Errors
/// The kind of failure; the end of the stream is [`Kind::Closed`].
pub fn read(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>, Kind> {
    loop {
        return match net::recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => Err(Kind::Closed),
            Ok((length, _)) => Ok(Some(length)),
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::INTR) => continue,
            Err(_) => Err(Kind::Reset),
        };
    }
}

/// Writes once; `None` when the socket is full.
///
/// # Errors
/// [`Kind::Reset`].
pub fn write(socket: &OwnedFd, bytes: &[u8]) -> Result<Option<usize>, Kind> {
    loop {
        return match net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(length) => Ok(Some(length)),
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::INTR) => continue,
            Err(_) => Err(Kind::Reset),
        };
    }
}
