//! One HBONE connection: TCP, TLS, HTTP/2, driven by hand.

#![forbid(unsafe_code)]

use crate::channel::{Channel, ChannelIo};
use crate::liveness::Liveness;
use crate::stream::Way;
use crate::table::Key;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, client, server};
use http::Request;
use rustix::net::sockopt;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// ztunnel's settings (1.30.3).
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const FRAME: u32 = 1 << 20;
const STREAMS_OF_A_CALLER: u32 = 200;
const CLIENT_HEADERS: u32 = 16 << 10;
const SERVER_HEADERS: u32 = 64 << 10;
/// Requests that a caller may take back before they are looked at: as many as can arrive in one turn. The peer is a proxy
/// that has proved who it is and calls for many applications; the crate's bounds (20 at once, 1,024 errors in a
/// connection's life) would let one of them end the tunnels of all.
const RESETS_BEFORE_ACCEPTED: usize = 4096;
/// Bytes that one stream may have waiting to be sent.
const SEND_BUFFER: usize = 400 << 10;

/// Which connections can be shared: those of one pod to one address where one peer must answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Place of the pod.
    pub pod: usize,
    /// Address of the far proxy.
    pub target: Ipv4Addr,
    /// SPIFFE id that it must prove.
    pub peer: Rc<str>,
}

/// Which end of the connection we are.
#[derive(Debug)]
pub enum Side {
    /// We called.
    Client(PoolKey),
    /// We were called, from this address.
    Server(SocketAddrV4),
}

impl Side {
    /// The way of the tunnels on it.
    #[must_use]
    pub fn way(&self) -> Way {
        match self {
            Self::Client(_) => Way::Outbound,
            Self::Server(_) => Way::Inbound,
        }
    }
}

type ClientConnection = client::Connection<ChannelIo, Bytes>;
type ServerConnection = server::Connection<ChannelIo, Bytes>;

enum Phase {
    Connecting,
    Handshaking,
    Client(Box<ClientConnection>, client::SendRequest<Bytes>),
    Greeting(Box<server::Handshake<ChannelIo, Bytes>>),
    Server(Box<ServerConnection>),
}

impl fmt::Debug for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connecting => "Connecting",
            Self::Handshaking => "Handshaking",
            Self::Client(..) => "Client",
            Self::Greeting(_) => "Greeting",
            Self::Server(_) => "Server",
        })
    }
}

/// What a poll has brought.
#[derive(Debug)]
pub enum Progress {
    /// Nothing more for now.
    Idle,
    /// Both identities are proved; poll again.
    Proved,
    /// Requests can go out; poll again.
    Open,
    /// A request has come in; poll again.
    Arrived(Box<Request<RecvStream>>, SendResponse<Bytes>),
    /// Over.
    Closed,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// Socket and TLS.
    pub channel: Rc<RefCell<Channel>>,
    /// Place of the pod it belongs to.
    pub pod: usize,
    /// Which end we are.
    pub side: Side,
    /// SPIFFE id that the peer has proved.
    pub peer: Option<Rc<str>>,
    /// Wakes this connection.
    pub waker: Waker,
    /// Streams on it, or waiting for it.
    pub streams: usize,
    /// Streams whose requests wait until it is open.
    pub waiting: Vec<Key>,
    /// It is to be written to at the end of the turn.
    pub dirty: bool,
    /// Whether the peer still answers.
    pub liveness: Liveness,
    phase: Phase,
}

impl Connection {
    /// On a socket that is connected or on the way to it.
    #[must_use]
    pub fn new(channel: Channel, pod: usize, side: Side, waker: Waker, liveness: Liveness) -> Self {
        let phase = if matches!(side, Side::Client(_)) { Phase::Connecting } else { Phase::Handshaking };
        Self {
            channel: Rc::new(RefCell::new(channel)),
            pod,
            side,
            peer: None,
            waker,
            streams: 0,
            waiting: Vec::new(),
            dirty: false,
            liveness,
            phase,
        }
    }

    /// Gets as far as it can without waiting.
    ///
    /// # Errors
    /// When the connection is broken or refused.
    pub fn poll(&mut self) -> io::Result<Progress> {
        let waker = self.waker.clone();
        let context = &mut Context::from_waker(&waker);
        match &mut self.phase {
            Phase::Connecting => self.poll_connect(),
            Phase::Handshaking => self.poll_handshake(context),
            Phase::Greeting(handshake) => match Pin::new(handshake).poll(context) {
                Poll::Pending => Ok(Progress::Idle),
                Poll::Ready(connection) => {
                    let mut connection = connection.map_err(broken)?;
                    self.liveness.begin(connection.ping_pong());
                    self.phase = Phase::Server(Box::new(connection));
                    Ok(Progress::Open)
                }
            },
            Phase::Client(connection, _) => match Pin::new(connection).poll(context) {
                Poll::Pending => self.liveness.poll(context).map(|()| Progress::Idle),
                Poll::Ready(Ok(())) => Ok(Progress::Closed),
                Poll::Ready(Err(error)) => Err(broken(error)),
            },
            Phase::Server(connection) => match connection.poll_accept(context) {
                Poll::Pending => self.liveness.poll(context).map(|()| Progress::Idle),
                Poll::Ready(None) => Ok(Progress::Closed),
                Poll::Ready(Some(Ok((request, responder)))) => Ok(Progress::Arrived(Box::new(request), responder)),
                Poll::Ready(Some(Err(error))) => Err(broken(error)),
            },
        }
    }

    /// A handle for one more request, if the connection takes one.
    pub fn ready(&self) -> Option<client::SendRequest<Bytes>> {
        let Phase::Client(_, requests) = &self.phase else { return None };
        let mut requests = requests.clone();
        match requests.poll_ready(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Ok(())) => Some(requests),
            // A clone waits for nobody else's request.
            Poll::Pending | Poll::Ready(Err(_)) => None,
        }
    }

    /// Whether requests can go out, or will be able to.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Handshaking)
    }

    /// Requests that the peer allows at once.
    #[must_use]
    pub fn most_streams(&self) -> usize {
        match &self.phase {
            Phase::Client(_, requests) => requests.current_max_send_streams(),
            _ => usize::MAX,
        }
    }

    /// Takes no new streams and ends after the last.
    pub fn drain(&mut self) {
        if let Phase::Server(connection) = &mut self.phase {
            connection.graceful_shutdown();
            self.waker.wake_by_ref();
        }
    }

    fn poll_connect(&mut self) -> io::Result<Progress> {
        let channel = self.channel.borrow();
        if !channel.is_writable() {
            return Ok(Progress::Idle);
        }
        sockopt::socket_error(channel.socket())??;
        drop(channel);
        self.phase = Phase::Handshaking;
        self.poll()
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> io::Result<Progress> {
        if self.channel.borrow_mut().poll_handshake()?.is_pending() {
            return Ok(Progress::Idle);
        }
        self.peer = Some(self.proved_peer()?);
        let io = ChannelIo(Rc::clone(&self.channel));
        match self.side {
            Side::Client(_) => {
                let (requests, mut connection) = begin_client(io, context)?;
                self.liveness.begin(connection.ping_pong());
                self.phase = Phase::Client(Box::new(connection), requests);
            }
            Side::Server(_) => self.phase = Phase::Greeting(Box::new(server_settings().handshake(io))),
        }
        Ok(Progress::Proved)
    }

    /// The peer's SPIFFE id, on a connection that speaks HTTP/2.
    fn proved_peer(&self) -> io::Result<Rc<str>> {
        let channel = self.channel.borrow();
        let session = channel.session();
        // A caller without ALPN is taken, as ztunnel does: port 15008 speaks nothing else.
        let protocol = session.alpn_protocol();
        let agreed = protocol == Some(b"h2") || (protocol.is_none() && matches!(self.side, Side::Server(_)));
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        match leaf.and_then(crate::verify::spiffe_id) {
            Some(id) if agreed => Ok(id.into()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no HTTP/2, or no identity")),
        }
    }
}

fn begin_client(
    io: ChannelIo,
    context: &mut Context<'_>,
) -> io::Result<(client::SendRequest<Bytes>, ClientConnection)> {
    let mut settings = client::Builder::new();
    settings
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(CLIENT_HEADERS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(None)
        .enable_push(false);
    // The preface fits into the channel's empty buffer, so this does not wait.
    match pin!(settings.handshake(io)).poll(context) {
        Poll::Ready(done) => done.map_err(broken),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn server_settings() -> server::Builder {
    let mut settings = server::Builder::new();
    settings
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(SERVER_HEADERS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(None)
        .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPTED)
        .max_concurrent_streams(STREAMS_OF_A_CALLER);
    settings
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    } else {
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    }
}
