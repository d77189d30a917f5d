//! One packet socket per counter: the only place that speaks to the kernel without a safe wrapper.

use crate::WiretapError;
use crate::assembler::Instruction;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::io;
use std::mem::size_of;

/// Counts the packets that arrive on an interface and pass a filter.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    total: u64,
}

impl Tap {
    /// Begins to count. Bound to IPv4 alone, the socket sees what arrives, not what leaves (that is seen by sockets for
    /// all protocols only).
    ///
    /// # Errors
    /// Without permission, or without such an interface.
    pub fn open(interface: &str, program: &[Instruction]) -> Result<Self, WiretapError> {
        let protocol_later = None;
        let socket = net::socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol_later)
            .map_err(|error| match error {
            Errno::PERM | Errno::ACCESS => WiretapError::NotPermitted,
            other => WiretapError::System { what: "socket", source: other.into() },
        })?;
        let index = net::netdevice::name_to_index(&socket, interface)
            .map_err(|_| WiretapError::NoInterface(interface.to_owned()))?;
        // The smallest buffer: once it holds a packet or two, matches are counted as dropped, and copied no more.
        let system = |what| move |error: Errno| WiretapError::System { what, source: error.into() };
        net::sockopt::set_socket_recv_buffer_size(&socket, 1).map_err(system("SO_RCVBUF"))?;
        attach(&socket, program)?;
        // Only now, so that no packet came in without the filter.
        bind(&socket, index)?;
        Ok(Self { socket, total: 0 })
    }

    /// Packets since it was opened. The kernel's own counter starts anew at every reading, so the sum is kept here.
    ///
    /// # Errors
    /// When the kernel refuses what it never should.
    pub fn count(&mut self) -> Result<u64, WiretapError> {
        // SAFETY: an all-zero value is valid for a struct of integers.
        let mut stats: libc::tpacket_stats = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `stats`, which lives and is so long.
        let failed = unsafe {
            let target = (&raw mut stats).cast();
            let option = libc::PACKET_STATISTICS;
            libc::getsockopt(self.socket.as_raw_fd(), libc::SOL_PACKET, option, target, &raw mut length)
        };
        check(failed, "PACKET_STATISTICS")?;
        // tp_packets includes those that were dropped.
        self.total += u64::from(stats.tp_packets);
        Ok(self.total)
    }
}

fn attach(socket: &OwnedFd, program: &[Instruction]) -> Result<(), WiretapError> {
    let filter =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast::<libc::sock_filter>() };
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: `Instruction` has the layout of sock_filter; the kernel copies the program during the call and writes
    // nothing.
    let failed = unsafe {
        let source = (&raw const filter).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, source, length)
    };
    check(failed, "SO_ATTACH_FILTER")
}

fn bind(socket: &OwnedFd, interface: u32) -> Result<(), WiretapError> {
    // SAFETY: an all-zero value is valid for a struct of integers.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    address.sll_ifindex = interface.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `address`, which lives and is so long.
    let failed = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    check(failed, "bind")
}

fn check(failed: i32, what: &'static str) -> Result<(), WiretapError> {
    if failed == 0 { Ok(()) } else { Err(WiretapError::System { what, source: io::Error::last_os_error() }) }
}
