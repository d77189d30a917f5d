//! Sockets and readiness: accepts, hands events to connections, keeps those that are held, answers stdin.

use crate::EchoError;
use crate::connection::{Connection, Protocol, Verdict};
use crate::hindrance::{Hindrance, Stalls};
use crate::http::Http;
use crate::options::Options;
use crate::raw::Raw;
use crate::stats::Stats;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Bytes per read. Larger reads save calls on streams and cost nothing on small requests.
const READ: usize = 128 << 10;

const HTTP: u64 = 0;
const TCP: u64 = 1;
const CONTROL: u64 = 2;
/// Connections are numbered from here in epoll's data.
const FIRST: u64 = 3;

/// A server that listens.
pub struct Server {
    epoll: OwnedFd,
    http: OwnedFd,
    tcp: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    again: Vec<usize>,
    held: BinaryHeap<Reverse<(Instant, usize)>>,
    scratch: Box<[u8]>,
    hindrance: Hindrance,
    stalls: Stalls,
    /// What has been served.
    pub stats: Stats,
}

/// What the owner of the control descriptor wants after it became readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Keep calling.
    Watch,
    /// It has ended; serve on without it.
    Forget,
    /// Stop serving.
    Stop,
}

impl Server {
    /// Listens on both addresses.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn bind(options: &Options) -> Result<Self, EchoError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(EchoError::system("epoll_create1"))?;
        let http = listen(options.http)?;
        let tcp = listen(options.tcp)?;
        for (listener, token) in [(&http, HTTP), (&tcp, TCP)] {
            epoll::add(&epoll, listener, epoll::EventData::new_u64(token), epoll::EventFlags::IN)
                .map_err(EchoError::system("epoll_ctl"))?;
        }
        let hindrance = options.hindrance();
        Ok(Self {
            epoll,
            http,
            tcp,
            connections: Vec::new(),
            free: Vec::new(),
            again: Vec::new(),
            held: BinaryHeap::new(),
            scratch: vec![0; READ].into_boxed_slice(),
            hindrance,
            stalls: Stalls::new(hindrance),
            stats: Stats::default(),
        })
    }

    /// Where it listens for HTTP and for raw TCP; tells the port when 0 was asked for.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn addresses(&self) -> Result<(SocketAddr, SocketAddr), EchoError> {
        let name = |socket: &OwnedFd| {
            let any = net::getsockname(socket).map_err(EchoError::system("getsockname"))?;
            SocketAddr::try_from(any).map_err(EchoError::system("getsockname"))
        };
        Ok((name(&self.http)?, name(&self.tcp)?))
    }

    /// Serves until `on_control`, called whenever `control` is readable, says stop.
    ///
    /// # Errors
    /// When the kernel refuses what it never should.
    pub fn run(&mut self, control: impl AsFd, mut on_control: impl FnMut(&Stats) -> Control) -> Result<(), EchoError> {
        let flags = epoll::EventFlags::IN;
        match epoll::add(&self.epoll, &control, epoll::EventData::new_u64(CONTROL), flags) {
            // A regular file or /dev/null cannot be watched and never says anything.
            Ok(()) | Err(Errno::PERM) => {}
            Err(error) => return Err(EchoError::system("epoll_ctl")(error)),
        }
        let mut events = Vec::with_capacity(256);
        loop {
            self.wait(&mut events)?;
            self.stalls.stall_if_due();
            for event in &events {
                match event.data.u64() {
                    HTTP => self.accept(HTTP)?,
                    TCP => self.accept(TCP)?,
                    CONTROL => match on_control(&self.stats) {
                        Control::Watch => {}
                        Control::Forget => drop(epoll::delete(&self.epoll, &control)),
                        Control::Stop => return Ok(()),
                    },
                    token => self.wake((token - FIRST) as usize, event.flags),
                }
            }
            for slot in std::mem::take(&mut self.again) {
                self.drive(slot);
            }
            self.release();
        }
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> Result<(), EchoError> {
        let timeout = if self.again.is_empty() {
            let wake = [self.stalls.next(), self.held.peek().map(|Reverse((at, _))| *at)].into_iter().flatten().min();
            wake.map(|at| at.saturating_duration_since(Instant::now()))
        } else {
            Some(Duration::ZERO)
        };
        let timeout =
            timeout.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) });
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(EchoError::system("epoll_pwait2")(error)),
        }
    }

    fn accept(&mut self, token: u64) -> Result<(), EchoError> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            let listener = if token == HTTP { &self.http } else { &self.tcp };
            let (socket, peer) = match net::acceptfrom_with(listener, flags) {
                Ok(accepted) => accepted,
                Err(Errno::AGAIN) => return Ok(()),
                // The peer gave up while waiting in the queue.
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(EchoError::system("accept4")(error)),
            };
            if let Some(Ok(peer)) = peer.map(SocketAddr::try_from) {
                *self.stats.peers.entry(canonical(peer.ip())).or_default() += 1;
            }
            self.admit(socket, token)?;
        }
    }

    fn admit(&mut self, socket: OwnedFd, token: u64) -> Result<(), EchoError> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(slot as u64 + FIRST), flags)
            .map_err(EchoError::system("epoll_ctl"))?;
        let protocol = if token == HTTP { Protocol::Http(Http::default()) } else { Protocol::Raw(Raw::default()) };
        self.connections[slot] = Some(Connection::new(socket, protocol));
        self.stats.connections += 1;
        self.stats.open += 1;
        Ok(())
    }

    fn wake(&mut self, slot: usize, flags: epoll::EventFlags) {
        let Some(connection) = &mut self.connections[slot] else { return };
        let ended = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        connection.hung_up |= flags.intersects(ended);
        connection.readable |= flags.intersects(epoll::EventFlags::IN | ended);
        connection.writable |= flags.intersects(epoll::EventFlags::OUT | ended);
        self.drive(slot);
    }

    fn drive(&mut self, slot: usize) {
        let Some(connection) = &mut self.connections[slot] else { return };
        match connection.drive(&mut self.scratch, &mut self.stats, &self.hindrance) {
            Verdict::Waits => {}
            Verdict::Again => self.again.push(slot),
            Verdict::Held(until) => self.held.push(Reverse((until, slot))),
            Verdict::Done => {
                self.connections[slot] = None;
                self.free.push(slot);
                self.stats.open -= 1;
            }
        }
    }

    /// Lets go of the connections whose time has come. A stale entry only drives a connection once more.
    fn release(&mut self) {
        while let Some(Reverse((at, slot))) = self.held.peek().copied() {
            if at > Instant::now() {
                return;
            }
            self.held.pop();
            self.drive(slot);
        }
    }
}

/// An IPv4 peer of an IPv6 socket is still an IPv4 peer.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn listen(address: SocketAddr) -> Result<OwnedFd, EchoError> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let open = || {
        let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        net::sockopt::set_socket_reuseaddr(&socket, true)?;
        // Accepted sockets inherit it, which saves a call per connection.
        net::sockopt::set_tcp_nodelay(&socket, true)?;
        net::bind(&socket, &address)?;
        net::listen(&socket, 4096)?;
        Ok(socket)
    };
    open().map_err(|source| EchoError::Listen { address, source })
}
