//! A pod's sockets: opened inside its network namespace, marked as the proxy's own.

#![forbid(unsafe_code)]

use crate::sockopt;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt as options};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// Sockets towards the application made at once: entering a namespace costs more than a socket.
const STOCK: usize = 32;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How the application is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceAddress {
    /// From the caller's own address (IP_TRANSPARENT).
    Kept,
    /// From this one.
    Fixed(Ipv4Addr),
}

/// Opens a pod's sockets.
#[derive(Debug)]
pub struct Sockets {
    /// The pod's namespace and the way back; none: this process's own.
    namespace: Option<(OwnedFd, OwnedFd)>,
    mark: u32,
    /// Where the pod's HBONE lives: its address where it shares a namespace with others, else any.
    own: Ipv4Addr,
    source: SourceAddress,
    stock: RefCell<Vec<OwnedFd>>,
}

impl Sockets {
    /// Of the pod whose namespace is `netns`.
    ///
    /// # Errors
    /// When the namespace cannot be opened.
    pub fn new(netns: Option<&Path>, mark: u32, own: Ipv4Addr, source: SourceAddress) -> io::Result<Self> {
        let open = |path: &Path| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let home = Path::new("/proc/thread-self/ns/net");
        let namespace = netns.map(|path| Ok::<_, io::Error>((open(path)?, open(home)?))).transpose()?;
        Ok(Self { namespace, mark, own, source, stock: RefCell::default() })
    }

    /// A listener on the pod's address.
    ///
    /// # Errors
    /// As the calls it takes.
    pub fn listen(&self, port: u16) -> io::Result<OwnedFd> {
        self.inside(|| {
            let socket = plain()?;
            options::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &SocketAddrV4::new(self.own, port))?;
            rustix::net::listen(&socket, BACKLOG)?;
            Ok(socket)
        })
    }

    /// A connection to another proxy, on its way.
    ///
    /// # Errors
    /// When it is refused at once.
    pub fn call(&self, to: SocketAddrV4) -> io::Result<OwnedFd> {
        let socket = self.inside(|| self.tcp())?;
        if !self.own.is_unspecified() {
            sockopt::set_bind_address_no_port(&socket)?;
            rustix::net::bind(&socket, &SocketAddrV4::new(self.own, 0))?;
        }
        connect(&socket, to)?;
        Ok(socket)
    }

    /// A connection to the application, on its way, for a caller from `from`.
    ///
    /// # Errors
    /// When it is refused at once.
    pub fn call_application(&self, from: Ipv4Addr, to: SocketAddrV4) -> io::Result<OwnedFd> {
        let socket = self.take_stock()?;
        let source = match self.source {
            SourceAddress::Kept => from,
            SourceAddress::Fixed(address) => address,
        };
        rustix::net::bind(&socket, &SocketAddrV4::new(source, 0))?;
        connect(&socket, to)?;
        Ok(socket)
    }

    fn take_stock(&self) -> io::Result<OwnedFd> {
        if let Some(socket) = self.stock.borrow_mut().pop() {
            return Ok(socket);
        }
        let mut made =
            self.inside(|| (0..STOCK).map(|_| self.towards_application()).collect::<io::Result<Vec<_>>>())?;
        let socket = made.pop().ok_or(io::ErrorKind::NotFound)?;
        *self.stock.borrow_mut() = made;
        Ok(socket)
    }

    fn towards_application(&self) -> io::Result<OwnedFd> {
        let socket = self.tcp()?;
        sockopt::set_bind_address_no_port(&socket)?;
        if self.source == SourceAddress::Kept {
            sockopt::set_transparent(&socket)?;
        }
        Ok(socket)
    }

    /// A socket for a call of the proxy's own, in the namespace that the thread is in. Listeners are not marked: what is
    /// accepted inherits the mark, and its answers would then pass as the proxy's own calls in the pod's rules.
    fn tcp(&self) -> io::Result<OwnedFd> {
        let socket = plain()?;
        if self.mark != 0 {
            sockopt::set_mark(&socket, self.mark)?;
        }
        Ok(socket)
    }

    /// Runs `make` in the pod's namespace.
    fn inside<T>(&self, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some((pod, home)) = &self.namespace else { return make() };
        enter(pod)?;
        let made = make();
        // Anything done in the wrong namespace would be worse than no proxy.
        enter(home).unwrap_or_else(|error| panic!("cannot return to the node's network namespace: {error}"));
        made
    }
}

/// What is accepted from a listener inherits the options.
fn plain() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    options::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

fn enter(namespace: &OwnedFd) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

fn connect(socket: &OwnedFd, to: SocketAddrV4) -> io::Result<()> {
    match rustix::net::connect(socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes closing the socket a reset.
pub fn reset_on_close(socket: &OwnedFd) {
    // Not a TCP socket, or gone already: then closing is all there is.
    let _closed = options::set_socket_linger(socket, Some(std::time::Duration::ZERO));
}
