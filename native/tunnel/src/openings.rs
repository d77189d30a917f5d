//! How connections and tunnels begin: what is accepted, from whom, and where it goes.

#![forbid(unsafe_code)]

use crate::api::{Notice, PodId, StreamId};
use crate::authority::{parse_authority, parse_forwarded};
use crate::greeting::{Greeting, Heard};
use crate::listeners::{OUTBOUND_PORT, PLAINTEXT_PORT, Role, accept, accept_unix};
use crate::node::Node;
use crate::plain::Plain;
use crate::pod::{Application, Pod};
use crate::proxy_v2::{self, Announced};
use crate::relay::{End, Relay};
use crate::sockets::reset_on_close;
use crate::sources::Kind;
use crate::stream::{Owner, Way};
use crate::table::Key;
use crate::tunnels::{Arrival, HBONE_PORT};
use bytes::Bytes;
use http::{Method, StatusCode};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::SocketAddrV4;
use std::path::Path;
use std::rc::Rc;

/// Connections accepted from one listener in one turn; the poller tells of the rest again.
const ACCEPTED_PER_TURN: usize = 64;

impl Node {
    /// Accepts what is waiting at a listener.
    pub(crate) fn accept_all(&mut self, key: Key) {
        for _ in 0..ACCEPTED_PER_TURN {
            let Some(listener) = self.listeners.0.get_mut(key) else { return };
            let (pod, role) = (listener.pod, listener.role);
            // Without descriptors left, what waits is accepted when some are free again.
            if role == Role::Announced {
                let Ok(Some(socket)) = accept_unix(&listener.socket) else { return };
                self.greet(pod, socket);
                continue;
            }
            let Ok(Some((socket, from))) = accept(&listener.socket) else { return };
            match role {
                Role::Hbone => {
                    // What cannot be watched is closed.
                    let _watched = self.tunnels.accepted(pod, socket, from);
                }
                Role::Plaintext => self.pass_plaintext(pod, socket, from),
                Role::Outbound | Role::Announced => self.capture(pod, socket, from),
            }
        }
    }

    /// A redirected connection of the application.
    fn capture(&mut self, pod: usize, socket: OwnedFd, from: SocketAddrV4) {
        match original_destination(&socket, &self.tunnels.pods[pod]) {
            Some(to) => self.carry(pod, socket, Announced { from, to }, Bytes::new()),
            None => {
                self.tunnels.direction(pod, Way::Outbound).accepted += 1;
                self.refuse_socket(pod, &socket);
            }
        }
    }

    /// A connection that announces itself.
    fn greet(&mut self, pod: usize, socket: OwnedFd) {
        let key = self.greetings.insert_with(|_| Greeting::new(socket, pod));
        if self.hear(key) {
            let Some(greeting) = self.greetings.get_mut(key) else { return };
            greeting.watched = self.sources.watch(&greeting.socket, Kind::Greeting, key).is_ok();
            if !greeting.watched {
                self.greetings.remove(key);
            }
        }
    }

    /// Reads of an announcement what is there; whether it is to be waited for.
    pub(crate) fn hear(&mut self, key: Key) -> bool {
        let Some(greeting) = self.greetings.get_mut(key) else { return false };
        let heard = greeting.listen();
        if heard == Heard::Part {
            return true;
        }
        let Some(greeting) = self.greetings.remove(key) else { return false };
        if greeting.watched {
            // It will be watched as a relay's. If it cannot be forgotten, that fails, and the call is refused.
            let _forgotten = self.sources.forget(&greeting.socket);
        }
        if let Heard::Whole(announced, rest) = heard {
            self.carry(greeting.pod, greeting.socket, announced, rest);
        }
        false
    }

    /// Carries a connection of the application through a tunnel.
    fn carry(&mut self, pod: usize, socket: OwnedFd, call: Announced, head: Bytes) {
        self.tunnels.direction(pod, Way::Outbound).accepted += 1;
        let sources = self.sources.clone();
        let tunnels = &mut self.tunnels;
        let mut opened = false;
        let nowhere = Key { index: u32::MAX, generation: 0 };
        let key = self.relays.insert_with(|key| {
            let stream = tunnels.open(pod, Owner::Relay(key), call);
            opened = stream.is_some() && sources.watch(&socket, Kind::Relay, key).is_ok();
            Relay::outbound(socket, stream.unwrap_or(nowhere), pod, head)
        });
        if opened { self.pump(key) } else { self.end(key, End::CutOff) }
    }

    fn refuse_socket(&mut self, pod: usize, socket: &OwnedFd) {
        self.tunnels.direction(pod, Way::Outbound).refused += 1;
        reset_on_close(socket);
    }

    /// Plaintext from outside the mesh goes to where it wanted to go.
    fn pass_plaintext(&mut self, pod: usize, socket: OwnedFd, from: SocketAddrV4) {
        self.tunnels.stats[pod].plaintext.accepted += 1;
        let serving = Rc::clone(&self.tunnels.pods[pod]);
        let application = original_destination(&socket, &serving)
            .filter(|_| !serving.served.get())
            .and_then(|to| call_application(&serving, Announced { from, to }).ok());
        let Some(application) = application else { return reset_on_close(&socket) };
        let key = self.plains.insert_with(|_| Plain::new(socket, application));
        let Some(plain) = self.plains.get_mut(key) else { return };
        let (caller, application) = plain.sockets();
        let watched = self
            .sources
            .watch(caller, Kind::Caller, key)
            .and_then(|()| self.sources.watch(application, Kind::Application, key));
        if watched.is_err() {
            self.plains.remove(key);
        }
    }

    /// Looks at the requests that have come in.
    pub(crate) fn answer_arrivals(&mut self) {
        for arrival in std::mem::take(&mut self.tunnels.arrivals) {
            self.tunnels.direction(arrival.pod, Way::Inbound).accepted += 1;
            match self.admit(&arrival) {
                Ok(call) => self.let_in(&arrival, call),
                Err(status) => self.refuse_stream(arrival.stream, arrival.pod, status),
            }
        }
    }

    /// ztunnel's checks: the authority is the pod's own address, the peer is admitted, the port is not the proxy's.
    fn admit(&self, arrival: &Arrival) -> Result<Announced, StatusCode> {
        let pod = &self.tunnels.pods[arrival.pod];
        let authority = arrival.request.uri().authority().map(http::uri::Authority::as_str);
        let to = authority.and_then(parse_authority).filter(|to| *to.ip() == pod.address);
        let to = to.filter(|_| arrival.request.method() == Method::CONNECT).ok_or(StatusCode::BAD_REQUEST)?;
        if !pod.admits.contains(&*arrival.peer) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if [OUTBOUND_PORT, PLAINTEXT_PORT, HBONE_PORT].contains(&to.port()) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        // The caller's address is the one that TLS was spoken with; its proxy only tells the port.
        let told = arrival.request.headers().get("forwarded").and_then(|value| value.to_str().ok());
        let told = told.and_then(parse_forwarded).filter(|told| told.ip() == arrival.address.ip());
        Ok(Announced { from: told.unwrap_or(arrival.address), to })
    }

    fn let_in(&mut self, arrival: &Arrival, call: Announced) {
        let serving = Rc::clone(&self.tunnels.pods[arrival.pod]);
        if let Some(stream) = self.tunnels.stream(arrival.stream) {
            (stream.from, stream.to) = (call.from, call.to);
        }
        if serving.served.get() {
            if let Some(stream) = self.tunnels.stream(arrival.stream) {
                stream.owner = Owner::Caller;
                stream.take_in();
            }
            let stream = StreamId { index: arrival.stream.index, generation: arrival.stream.generation };
            // A node has fewer pods than 2³²: each has files and sockets.
            let pod = PodId(arrival.pod as u32);
            return self.notices.push_back(Notice::Arrived { stream, pod, from: call.from, to: call.to });
        }
        let Ok(socket) = call_application(&serving, call) else {
            return self.refuse_stream(arrival.stream, arrival.pod, StatusCode::SERVICE_UNAVAILABLE);
        };
        let key = self.relays.insert_with(|_| Relay::inbound(socket, arrival.stream, arrival.pod));
        if let Some(stream) = self.tunnels.stream(arrival.stream) {
            stream.owner = Owner::Relay(key);
        }
        let watched = self.relays.get_mut(key).map(|relay| self.sources.watch(&relay.socket, Kind::Relay, key));
        if matches!(watched, Some(Ok(()))) { self.pump(key) } else { self.end(key, End::SocketFailed) }
    }

    pub(crate) fn refuse_stream(&mut self, stream: Key, pod: usize, status: StatusCode) {
        self.tunnels.direction(pod, Way::Inbound).refused += 1;
        if let Some(stream) = self.tunnels.stream(stream) {
            stream.answer(status);
        }
        self.tunnels.forget(stream, None);
    }
}

/// Where a redirected connection wanted to go; none if it was not redirected.
fn original_destination(socket: &OwnedFd, pod: &Pod) -> Option<SocketAddrV4> {
    let to = sockopt::ip_original_dst(socket).ok()?;
    let own = *to.ip() == pod.address || to.ip().is_loopback();
    (!own || ![OUTBOUND_PORT, PLAINTEXT_PORT, HBONE_PORT].contains(&to.port())).then_some(to)
}

/// A connection to the pod's application, on its way.
fn call_application(pod: &Pod, call: Announced) -> io::Result<OwnedFd> {
    match &pod.application {
        Application::Tcp => pod.sockets.call_application(*call.from.ip(), call.to),
        Application::Unix(path) => call_unix(path, call),
    }
}

fn call_unix(path: &Path, call: Announced) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let header = proxy_v2::write(call);
    // A new socket has room for a header.
    match rustix::io::write(&socket, &header)? {
        count if count == header.len() => Ok(socket),
        _ => Err(Errno::AGAIN.into()),
    }
}
