//! The far side for tests and benchmarks: echo, discard and chargen (RFC 862 to 864) on Unix sockets, in one thread.
//!
//! | port | service                                                                                     |
//! | ---- | ------------------------------------------------------------------------------------------- |
//! | 7    | sends back every byte, and ends after the caller's half close                               |
//! | 9    | discards; after the caller's half close sends the number of bytes as u64, big endian        |
//! | 19   | speaks first and never ends: [`crate::payload`] from position 0 on                          |
//! | 10   | takes the call and never reads                                                              |
//!
//! Calls to other ports are taken and closed at once.

#![forbid(unsafe_code)]

use crate::line::{Interest, Line};
use rustix::event::epoll;
use rustix::fd::{AsFd, OwnedFd};
use std::io;
use std::net::SocketAddrV4;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Port of echo.
pub const ECHO: u16 = 7;
/// Port of discard.
pub const DISCARD: u16 = 9;
/// Port of the service that never reads.
pub const STUCK: u16 = 10;
/// Port of chargen.
pub const CHARGEN: u16 = 19;

/// Who called whom, as a PROXY v2 header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// Caller.
    pub from: SocketAddrV4,
    /// Called.
    pub to: SocketAddrV4,
}

/// What has been called so far.
pub type Calls = Arc<Mutex<Vec<Names>>>;

const STOP: u64 = 0;
const FIRST_LISTENER: u64 = 1;
const FIRST_LINE: u64 = 16;
/// Calls whose names are kept.
const KEPT: usize = 100_000;

/// A server of the services above.
pub struct Peer {
    poll: OwnedFd,
    listeners: Vec<(UnixListener, Option<u16>)>,
    lines: Vec<Option<Line>>,
    free: Vec<usize>,
    calls: Calls,
    buffer: Vec<u8>,
}

impl Peer {
    /// One socket for all services: calls begin with a PROXY v2 header, as from dpb-vsock-tsi.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn named(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::listening(vec![(path.as_ref().to_owned(), None)])
    }

    /// A socket for each service, `<base>_<port>`, as stock vhost-user-vsock devices call them.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub fn by_port(base: impl AsRef<Path>) -> io::Result<Self> {
        let socket = |port: u16| (service_path(base.as_ref(), port), Some(port));
        Self::listening([ECHO, DISCARD, STUCK, CHARGEN].map(socket).to_vec())
    }

    fn listening(sockets: Vec<(PathBuf, Option<u16>)>) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut listeners = Vec::new();
        for (path, port) in sockets {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            // The standard library's backlog of 128 would refuse floods that the kernel's own limit takes.
            rustix::net::listen(&listener, 4096)?;
            let data = epoll::EventData::new_u64(FIRST_LISTENER + listeners.len() as u64);
            epoll::add(&poll, &listener, data, epoll::EventFlags::IN)?;
            listeners.push((listener, port));
        }
        Ok(Self {
            poll,
            listeners,
            lines: Vec::new(),
            free: Vec::new(),
            calls: Calls::default(),
            buffer: vec![0; 1 << 18],
        })
    }

    /// What has been called so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Arc::clone(&self.calls)
    }

    /// Serves until `stop` can be read, or its far end is closed.
    ///
    /// # Errors
    /// As epoll_wait(2) and accept(2).
    pub fn serve(&mut self, stop: impl AsFd) -> io::Result<()> {
        epoll::add(&self.poll, stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), None) {
                Err(rustix::io::Errno::INTR) => continue,
                outcome => outcome?,
            };
            for event in &events {
                match event.data.u64() {
                    STOP => return Ok(()),
                    number if number < FIRST_LINE => self.accept((number - FIRST_LISTENER) as usize)?,
                    number => self.turn((number - FIRST_LINE) as usize)?,
                }
            }
        }
    }

    /// Serves in a thread of its own until the answer is dropped.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(mut self) -> io::Result<Running> {
        let (near, far) = UnixStream::pair()?;
        let calls = self.calls();
        let thread = std::thread::Builder::new().name("peer".into()).spawn(move || self.serve(&far))?;
        Ok(Running { stop: Some(near), thread: Some(thread), calls })
    }

    fn accept(&mut self, number: usize) -> io::Result<()> {
        loop {
            let (listener, port) = &self.listeners[number];
            let stream = match listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?.0,
            };
            stream.set_nonblocking(true)?;
            let place = self.free.pop().unwrap_or(self.lines.len());
            let line = Line::new(stream, *port);
            let data = epoll::EventData::new_u64(FIRST_LINE + place as u64);
            epoll::add(&self.poll, line.socket(), data, flags(line.interest()))?;
            if place == self.lines.len() {
                self.lines.push(None);
            }
            self.lines[place] = Some(line);
            if port.is_none_or(|port| port == CHARGEN) {
                self.turn(place)?;
            }
        }
    }

    /// Serves one line; a line that fails is closed, as that is what the far end has to be told.
    fn turn(&mut self, place: usize) -> io::Result<()> {
        let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
        let before = line.interest();
        let alive = line.turn(&mut self.buffer).unwrap_or(false);
        if let Some(names) = line.take_names() {
            let mut calls = self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if calls.len() < KEPT {
                calls.push(names);
            }
        }
        if !alive {
            self.lines[place] = None;
            self.free.push(place);
        } else if line.interest() != before {
            let data = epoll::EventData::new_u64(FIRST_LINE + place as u64);
            epoll::modify(&self.poll, line.socket(), data, flags(line.interest()))?;
        }
        Ok(())
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN,
        Interest::Write => epoll::EventFlags::OUT,
        Interest::End => epoll::EventFlags::empty(),
    }
}

/// Socket of one service of [`Peer::by_port`].
#[must_use]
pub fn service_path(base: &Path, port: u16) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(format!("_{port}"));
    name.into()
}

/// A peer in a thread; dropping it closes all its sockets.
pub struct Running {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<()>>>,
    calls: Calls,
}

impl Running {
    /// Who called whom so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Names> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("peer: {error}");
        }
    }
}
