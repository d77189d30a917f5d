//! All connections and tunnels of a node, and the pool by which tunnels share connections.

#![forbid(unsafe_code)]

use crate::connection::{Connection, PoolKey, Progress, Side};
use crate::liveness::Demand;
use crate::pod::Pod;
use crate::proxy_v2::Announced;
use crate::session::Session;
use crate::sources::Sources;
use crate::stats::{Direction, PodStats};
use crate::stream::{Owner, Stream, Way};
use crate::table::{Key, Table};
use crate::wake::{Task, WakeList};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;
use poller::Event;
use rustix::fd::OwnedFd;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Instant;

/// Port of HBONE.
pub const HBONE_PORT: u16 = 15008;

/// A request that has come in, to be answered.
#[derive(Debug)]
pub struct Arrival {
    /// Its stream; `from` and `to` are not known yet.
    pub stream: Key,
    /// Place of the pod.
    pub pod: usize,
    /// The caller's proxy: SPIFFE id.
    pub peer: Rc<str>,
    /// The caller's proxy: address.
    pub address: SocketAddrV4,
    /// Request line and headers.
    pub request: Request<()>,
}

/// Connections and tunnels.
#[derive(Debug)]
pub struct Tunnels {
    /// Pods, as in the configuration.
    pub pods: Vec<Rc<Pod>>,
    /// Statistics, by place of the pod.
    pub stats: Vec<PodStats>,
    /// What is to be polled.
    pub woken: WakeList,
    /// Requests not answered yet.
    pub arrivals: Vec<Arrival>,
    pub(crate) sources: Sources,
    pub(crate) connections: Table<Connection>,
    pub(crate) streams: Table<Stream>,
    pub(crate) pool: HashMap<PoolKey, Vec<Key>>,
    dirty: Vec<Key>,
    draining: bool,
}

impl Tunnels {
    /// No connections yet.
    #[must_use]
    pub fn new(pods: Vec<Rc<Pod>>, sources: Sources) -> Self {
        let stats = pods.iter().map(|_| PodStats::default()).collect();
        Self {
            pods,
            stats,
            woken: WakeList::default(),
            arrivals: Vec::new(),
            sources,
            connections: Table::default(),
            streams: Table::default(),
            pool: HashMap::new(),
            dirty: Vec::new(),
            draining: false,
        }
    }

    /// A tunnel.
    pub fn stream(&mut self, key: Key) -> Option<&mut Stream> {
        self.streams.get_mut(key)
    }

    /// Statistics of a pod's tunnels of one way.
    pub fn direction(&mut self, pod: usize, way: Way) -> &mut Direction {
        match way {
            Way::Outbound => &mut self.stats[pod].outbound,
            Way::Inbound => &mut self.stats[pod].inbound,
        }
    }

    /// The connection of an event.
    pub fn find_connection(&self, index: u32, generation_24: u32) -> Option<Key> {
        self.connections.find(index, generation_24)
    }

    /// SPIFFE id that the peer of a stream has proved.
    pub fn peer(&mut self, stream: Key) -> Option<Rc<str>> {
        let connection = self.streams.get_mut(stream)?.connection;
        self.connections.get_mut(connection)?.peer.clone()
    }

    /// Opens a tunnel; none if the pod has no route to the destination or a connection cannot even be begun.
    pub fn open(&mut self, pod: usize, owner: Owner, call: Announced) -> Option<Key> {
        if self.draining {
            return None;
        }
        let connection = self.connection_to(pod, call.to)?;
        let woken = &self.woken;
        let key = self.streams.insert_with(|key| {
            Stream::new(connection, pod, Way::Outbound, owner, call, woken.waker(Task::Stream(key)))
        });
        let serving = self.connections.get_mut(connection)?;
        serving.streams += 1;
        if serving.is_opening() {
            serving.waiting.push(key);
        } else {
            self.request(connection, key);
        }
        Some(key)
    }

    /// Forgets a tunnel; what is not finished both ways is cut off.
    pub fn forget(&mut self, key: Key, cut_off: Option<Reason>) {
        let Some(mut stream) = self.streams.remove(key) else { return };
        if let Some(reason) = cut_off {
            stream.cut_off(reason);
        }
        if let Some(connection) = self.connections.get_mut(stream.connection) {
            connection.streams -= 1;
            connection.waiting.retain(|&waiting| waiting != key);
            connection.waker.wake_by_ref();
        }
    }

    /// A connection from another proxy.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn accepted(&mut self, pod: usize, socket: OwnedFd, from: SocketAddrV4) -> io::Result<()> {
        let session = Session::server(self.pods[pod].tls.clone()).map_err(io::Error::other)?;
        self.add(pod, socket, session, Side::Server(from)).map(drop)
    }

    /// An event of a connection's socket.
    pub fn on_event(&mut self, key: Key, event: Event) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.channel.borrow_mut().note(event) {
            connection.waker.wake_by_ref();
        }
    }

    /// Lets a connection get as far as it can.
    pub fn poll_connection(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.dirty {
            connection.dirty = true;
            connection.channel.borrow_mut().refill();
            self.dirty.push(key);
        }
        loop {
            let Some(connection) = self.connections.get_mut(key) else { return };
            match connection.poll() {
                Ok(Progress::Idle) => return,
                Ok(Progress::Proved) => self.proved(key),
                Ok(Progress::Open) => {}
                Ok(Progress::Arrived(request, responder)) => self.arrived(key, *request, responder),
                Ok(Progress::Closed) => return self.close(key, false),
                Err(_) => return self.close(key, true),
            }
        }
    }

    /// Ends a turn: what was gathered goes out.
    pub fn send(&mut self) {
        while let Some(key) = self.dirty.pop() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.dirty = false;
            let mut channel = connection.channel.borrow_mut();
            let sent = channel.send();
            if channel.has_more() {
                connection.waker.wake_by_ref();
            }
            drop(channel);
            if sent.is_err() {
                self.close(key, true);
            }
        }
    }

    /// Looks at the clock of every connection.
    pub fn tick(&mut self, now: Instant) {
        let mut ended = Vec::new();
        for (key, connection) in self.connections.iter_mut() {
            let is_client = matches!(connection.side, Side::Client(_));
            match connection.liveness.tick(now, connection.streams, is_client) {
                Demand::Nothing => {}
                Demand::Poll => connection.waker.wake_by_ref(),
                Demand::Dead => ended.push((key, true)),
                Demand::Unused => ended.push((key, false)),
            }
        }
        for (key, broken) in ended {
            self.close(key, broken);
        }
    }

    /// Whether there are connections, whose clocks have to be looked at.
    #[must_use]
    pub fn has_connections(&self) -> bool {
        !self.connections.is_empty()
    }

    /// Takes no new tunnels.
    pub fn drain(&mut self) {
        self.draining = true;
        for (_, connection) in self.connections.iter_mut() {
            connection.drain();
        }
    }

    /// Whether no tunnel is left.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// A request has come in.
    fn arrived(&mut self, key: Key, request: Request<RecvStream>, responder: SendResponse<Bytes>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let (Side::Server(address), Some(peer)) = (&connection.side, connection.peer.clone()) else { return };
        let (address, pod) = (*address, connection.pod);
        connection.streams += 1;
        let woken = &self.woken;
        let call = Announced { from: address, to: address };
        let stream = self.streams.insert_with(|own| {
            Stream::new(key, pod, Way::Inbound, Owner::Nobody, call, woken.waker(Task::Stream(own)))
        });
        let (head, body) = request.into_parts();
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.arrived(body, responder);
        }
        self.arrivals.push(Arrival { stream, pod, peer, address, request: Request::from_parts(head, ()) });
    }

    /// Ends a connection; HTTP/2 tells its streams, except those whose requests have not gone out.
    fn close(&mut self, key: Key, broken: bool) {
        let Some(connection) = self.connections.remove(key) else { return };
        if let Side::Client(pool_key) = &connection.side
            && let Some(keys) = self.pool.get_mut(pool_key)
        {
            keys.retain(|&pooled| pooled != key);
        }
        let mut channel = connection.channel.borrow_mut();
        if broken && (connection.peer.is_none() || channel.failure().is_some()) {
            self.direction(connection.pod, connection.side.way()).tls.failures += 1;
        }
        channel.close();
        drop(channel);
        for stream in connection.waiting {
            if let Some(stream) = self.streams.get_mut(stream) {
                stream.lost = true;
                stream.waker.wake_by_ref();
            }
        }
    }
}
