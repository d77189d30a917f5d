//! Where connections come in: ports inside the pods, and Unix sockets beside them.

#![forbid(unsafe_code)]

use crate::config::PodConfig;
use crate::pod::Pod;
use crate::sources::Sources;
use crate::table::{Key, Table};
use crate::tunnels::HBONE_PORT;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Istio's ports in a pod.
pub const OUTBOUND_PORT: u16 = 15001;
/// See [`OUTBOUND_PORT`].
pub const PLAINTEXT_PORT: u16 = 15006;

/// What is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The application's connections, redirected (15001).
    Outbound,
    /// Plaintext from outside the mesh, redirected (15006).
    Plaintext,
    /// HBONE (15008).
    Hbone,
    /// The application's connections by a Unix socket, with a PROXY v2 header.
    Announced,
}

/// A listener.
#[derive(Debug)]
pub struct Listener {
    /// Its socket.
    pub socket: OwnedFd,
    /// Place of the pod.
    pub pod: usize,
    /// What is accepted.
    pub role: Role,
    /// A Unix socket's file, removed with the listener.
    file: Option<PathBuf>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _gone = std::fs::remove_file(file);
        }
    }
}

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("pod «{pod}»: listening on {at}: {error}")]
pub struct ListenError {
    pod: String,
    at: String,
    error: io::Error,
}

impl ListenError {
    fn new(pod: &Pod, at: &dyn fmt::Display, error: io::Error) -> Self {
        Self { pod: pod.name.clone(), at: at.to_string(), error }
    }
}

/// All listeners of a node.
#[derive(Debug, Default)]
pub struct Listeners(pub Table<Listener>);

impl Listeners {
    /// Opens the listeners that a pod's configuration asks for.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub fn open(&mut self, place: usize, pod: &Pod, config: &PodConfig, sources: &Sources) -> Result<(), ListenError> {
        let redirected = config.capture || config.sidecar;
        if redirected && config.outbound_socket.is_none() {
            self.port(place, pod, OUTBOUND_PORT, Role::Outbound, sources)?;
        }
        if redirected {
            self.port(place, pod, PLAINTEXT_PORT, Role::Plaintext, sources)?;
        }
        if redirected || config.inbound_socket.is_some() {
            self.hbone(place, pod, sources)?;
        }
        let Some(path) = &config.outbound_socket else { return Ok(()) };
        let listening = listen_unix(path).and_then(|socket| {
            self.add(Listener { socket, pod: place, role: Role::Announced, file: Some(path.clone()) }, sources)
        });
        listening.map_err(|error| ListenError::new(pod, &path.display(), error))
    }

    /// Opens a pod's port 15008, unless it is open.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn hbone(&mut self, place: usize, pod: &Pod, sources: &Sources) -> Result<(), ListenError> {
        if self.0.iter_mut().any(|(_, listener)| listener.pod == place && listener.role == Role::Hbone) {
            return Ok(());
        }
        self.port(place, pod, HBONE_PORT, Role::Hbone, sources)
    }

    /// Stops listening.
    pub fn close(&mut self) {
        let keys: Vec<Key> = self.0.iter_mut().map(|(key, _)| key).collect();
        for key in keys {
            self.0.remove(key);
        }
    }

    fn port(&mut self, place: usize, pod: &Pod, port: u16, role: Role, sources: &Sources) -> Result<(), ListenError> {
        let listening = pod
            .sockets
            .listen(port)
            .and_then(|socket| self.add(Listener { socket, pod: place, role, file: None }, sources));
        listening.map_err(|error| ListenError::new(pod, &format_args!("port {port}"), error))
    }

    fn add(&mut self, listener: Listener, sources: &Sources) -> io::Result<()> {
        let key = self.0.insert_with(|_| listener);
        self.0.get_mut(key).map_or(Ok(()), |listener| sources.watch_listener(&listener.socket, key))
    }
}

fn listen_unix(path: &Path) -> io::Result<OwnedFd> {
    // A file left behind by a proxy that was killed would block the name for ever.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 4096)?;
    Ok(socket)
}

/// The next connection of a TCP listener; none when all are accepted.
///
/// # Errors
/// When there are no descriptors left, or the listener is broken.
pub fn accept(listener: &OwnedFd) -> io::Result<Option<(OwnedFd, SocketAddrV4)>> {
    loop {
        match rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok((socket, address)) => {
                let address = address.and_then(|address| SocketAddr::try_from(address).ok());
                if let Some(SocketAddr::V4(from)) = address {
                    return Ok(Some((socket, from)));
                }
            }
            Err(Errno::AGAIN) => return Ok(None),
            // The caller has given up before it was accepted.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The next connection of a Unix listener.
///
/// # Errors
/// As [`accept`].
pub fn accept_unix(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => return Ok(Some(socket)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
