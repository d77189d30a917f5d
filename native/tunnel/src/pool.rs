//! How tunnels come to their connections: shared where one peer must answer, opened where none has room.

#![forbid(unsafe_code)]

use crate::authority;
use crate::channel::Channel;
use crate::connection::{Connection, PoolKey, Side};
use crate::liveness::Liveness;
use crate::pod::Pod;
use crate::session::Session;
use crate::sources::Kind;
use crate::table::Key;
use crate::tunnels::{HBONE_PORT, Tunnels};
use crate::wake::Task;
use http::{HeaderValue, Method, Request, Uri};
use rustix::fd::OwnedFd;
use rustls::ProtocolVersion;
use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Instant;

/// Tunnels that share a connection, as in ztunnel's pool.
const STREAMS_PER_CONNECTION: usize = 100;

impl Tunnels {
    /// A shared connection with room, or a new one.
    pub(crate) fn connection_to(&mut self, pod: usize, to: SocketAddrV4) -> Option<Key> {
        let serving = Rc::clone(&self.pods[pod]);
        let route = serving.routes.get(to.ip())?;
        let pool_key = PoolKey { pod, target: route.target, peer: Rc::clone(&route.peer) };
        let connections = &mut self.connections;
        let mut usable = |key: &Key| {
            connections.get_mut(*key).is_some_and(|connection| {
                let most = connection.most_streams().min(STREAMS_PER_CONNECTION);
                connection.streams < most && (connection.is_opening() || connection.ready().is_some())
            })
        };
        if let Some(found) = self.pool.get(&pool_key).and_then(|keys| keys.iter().copied().find(|key| usable(key))) {
            return Some(found);
        }
        let target = SocketAddrV4::new(route.target, HBONE_PORT);
        let socket = serving.sockets.call(target).ok()?;
        let session = Session::client(route.tls.clone(), route.target).ok()?;
        let key = self.add(pod, socket, session, Side::Client(pool_key.clone())).ok()?;
        self.pool.entry(pool_key).or_default().push(key);
        Some(key)
    }

    /// A connection on a socket, watched.
    pub(crate) fn add(&mut self, pod: usize, socket: OwnedFd, session: Session, side: Side) -> io::Result<Key> {
        self.direction(pod, side.way()).tls.connections += 1;
        let woken = &self.woken;
        let key = self.connections.insert_with(|key| {
            let waker = woken.waker(Task::Connection(key));
            Connection::new(Channel::new(socket, session), pod, side, waker, Liveness::new(Instant::now()))
        });
        let watched = self.connections.get_mut(key).map_or(Ok(()), |connection| {
            self.sources.watch(connection.channel.borrow().socket(), Kind::Connection, key)
        });
        if watched.is_err() {
            self.connections.remove(key);
        }
        watched.map(|()| key)
    }

    /// TLS is set up: requests that waited go out with the first flight of HTTP/2.
    pub(crate) fn proved(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let waiting = std::mem::take(&mut connection.waiting);
        let is_tls13 = connection.channel.borrow().session().protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let (pod, way) = (connection.pod, connection.side.way());
        let tls = &mut self.direction(pod, way).tls;
        tls.handshakes += 1;
        tls.tls13 += u64::from(is_tls13);
        for stream in waiting {
            self.request(key, stream);
        }
    }

    /// Sends the request of a stream.
    pub(crate) fn request(&mut self, connection: Key, key: Key) {
        let (Some(connection), Some(stream)) = (self.connections.get_mut(connection), self.streams.get_mut(key)) else {
            return;
        };
        let sent = connection.ready().and_then(|mut requests| {
            let request = connect_request(&self.pods[connection.pod], stream.from, stream.to)?;
            requests.send_request(request, false).ok()
        });
        match sent {
            Some((response, sender)) => stream.requested(response, sender),
            None => {
                stream.lost = true;
                stream.waker.wake_by_ref();
            }
        }
    }
}

fn connect_request(pod: &Pod, from: SocketAddrV4, to: SocketAddrV4) -> Option<Request<()>> {
    let authority = Uri::builder().authority(to.to_string()).build().ok()?;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(authority)
        .header("baggage", pod.baggage.clone())
        .header("forwarded", HeaderValue::try_from(authority::forwarded(from)).ok()?);
    request.body(()).ok()
}
