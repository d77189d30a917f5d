//! A socket of the application, and the tunnel that it is relayed to.

#![forbid(unsafe_code)]

use crate::scratch::{CHUNK, Scratch};
use crate::sockets::reset_on_close;
use crate::stream::{Answer, Received, Room, Way};
use crate::table::Key;
use crate::tunnels::Tunnels;
use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use poller::Event;
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{Shutdown, sockopt};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Outbound: not answered yet. Inbound: the application has not taken the connection yet.
    Opening,
    Open,
}

/// How a relay has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both halves in good order.
    Finished,
    /// The peer has cut the tunnel off, or refused it.
    CutOff,
    /// The application's socket is broken, or never was.
    SocketFailed,
}

/// A socket and a tunnel.
#[derive(Debug)]
pub struct Relay {
    /// The socket.
    pub socket: OwnedFd,
    /// The tunnel.
    pub stream: Key,
    pod: usize,
    way: Way,
    stage: Stage,
    /// Read from the socket before the relay was there.
    head: Bytes,
    readable: bool,
    writable: bool,
    /// The socket's peer has finished: reading goes on to the end, short reads or not.
    peer_finished: bool,
    failed: bool,
    /// The end of the socket's half was passed on, and the tunnel's.
    sent_all: bool,
    received_all: bool,
}

impl Relay {
    /// Of a connection that the application has opened; `head` was read from it already.
    #[must_use]
    pub fn outbound(socket: OwnedFd, stream: Key, pod: usize, head: Bytes) -> Self {
        Self::new(socket, stream, pod, Way::Outbound, head)
    }

    /// Of a connection to the application that is on its way, or has arrived already, as within a pod it mostly has.
    #[must_use]
    pub fn inbound(socket: OwnedFd, stream: Key, pod: usize) -> Self {
        let connected = rustix::net::getpeername(&socket).is_ok();
        Self { writable: connected, ..Self::new(socket, stream, pod, Way::Inbound, Bytes::new()) }
    }

    fn new(socket: OwnedFd, stream: Key, pod: usize, way: Way, head: Bytes) -> Self {
        Self {
            socket,
            stream,
            pod,
            way,
            stage: Stage::Opening,
            head,
            readable: way == Way::Outbound,
            writable: way == Way::Outbound,
            peer_finished: false,
            failed: false,
            sent_all: false,
            received_all: false,
        }
    }

    /// Notes an event of the socket; whether there is anything to do.
    pub fn note(&mut self, event: Event) -> bool {
        let useful = event.readable || !self.writable;
        self.readable |= event.readable;
        self.writable |= event.writable;
        self.peer_finished |= event.peer_finished || event.broken;
        self.failed |= event.broken && !matches!(sockopt::socket_error(&self.socket), Ok(Ok(())));
        useful
    }

    /// Moves what can be moved; says when the relay has ended.
    pub fn pump(&mut self, tunnels: &mut Tunnels, scratch: &mut Scratch) -> Option<End> {
        match self.pump_both(tunnels, scratch) {
            Ok(()) if self.sent_all && self.received_all => Some(End::Finished),
            Ok(()) => None,
            Err(end) => Some(end),
        }
    }

    fn pump_both(&mut self, tunnels: &mut Tunnels, scratch: &mut Scratch) -> Result<(), End> {
        if self.failed {
            return Err(End::SocketFailed);
        }
        if self.stage == Stage::Opening {
            self.open(tunnels)?;
        }
        // Bytes of a caller who does not wait for the answer travel with the request.
        if self.stage == Stage::Open || self.way == Way::Outbound {
            self.pump_up(tunnels, scratch)?;
        }
        if self.stage == Stage::Open { self.pump_down(tunnels) } else { Ok(()) }
    }

    fn open(&mut self, tunnels: &mut Tunnels) -> Result<(), End> {
        let stream = tunnels.stream(self.stream).ok_or(End::CutOff)?;
        let to = stream.to;
        match self.way {
            Way::Outbound => match stream.poll_answer() {
                Answer::Later => return Ok(()),
                Answer::Denied(_) => return Err(End::CutOff),
                Answer::Granted => {}
            },
            Way::Inbound if !self.writable => {
                stream.take_in();
                return if stream.is_cut_off() { Err(End::CutOff) } else { Ok(()) };
            }
            Way::Inbound => {
                if !stream.answer(StatusCode::OK) {
                    return Err(End::CutOff);
                }
            }
        }
        self.stage = Stage::Open;
        let peer = tunnels.peer(self.stream).ok_or(End::CutOff)?;
        let direction = tunnels.direction(self.pod, self.way);
        direction.opened(&peer, to);
        direction.open += 1;
        Ok(())
    }

    /// From the socket into the tunnel.
    fn pump_up(&mut self, tunnels: &mut Tunnels, scratch: &mut Scratch) -> Result<(), End> {
        while (self.readable || !self.head.is_empty()) && !self.sent_all {
            let stream = tunnels.stream(self.stream).ok_or(End::CutOff)?;
            let room = match stream.room(CHUNK) {
                Room::Later => return Ok(()),
                Room::Broken => return Err(End::CutOff),
                Room::Bytes(room) => room,
            };
            let bytes = if self.head.is_empty() {
                match self.read(scratch, room)? {
                    Some(bytes) => bytes,
                    None => break,
                }
            } else {
                self.head.split_to(room.min(self.head.len()))
            };
            let count = bytes.len() as u64;
            let passed_on = if bytes.is_empty() {
                self.sent_all = true;
                stream.finish()
            } else {
                stream.send(bytes)
            };
            if !passed_on {
                return Err(End::CutOff);
            }
            *tunnels.direction(self.pod, self.way).bytes_up(self.way) += count;
        }
        if let Some(stream) = tunnels.stream(self.stream) {
            stream.unreserve();
        }
        Ok(())
    }

    /// Bytes of the socket, empty at its end; none if there are none now.
    fn read(&mut self, scratch: &mut Scratch, most: usize) -> Result<Option<Bytes>, End> {
        match scratch.read(&self.socket, most) {
            Ok((bytes, filled)) => {
                // A short read has emptied the socket: what comes later raises a new event, except an end seen already.
                self.readable = filled || self.peer_finished;
                Ok(Some(bytes))
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                Ok(None)
            }
            Err(_) => Err(End::SocketFailed),
        }
    }

    /// From the tunnel to the socket.
    fn pump_down(&mut self, tunnels: &mut Tunnels) -> Result<(), End> {
        while self.writable && !self.received_all {
            let stream = tunnels.stream(self.stream).ok_or(End::CutOff)?;
            match stream.receive() {
                Received::Later => return Ok(()),
                Received::Reset => return Err(End::CutOff),
                Received::Finished => {
                    self.received_all = true;
                    // With the other half ended, closing says the same.
                    if !self.sent_all {
                        let _gone = rustix::net::shutdown(&self.socket, Shutdown::Write);
                    }
                }
                Received::Data(bytes) => {
                    let count = match retry_on_intr(|| rustix::io::write(&self.socket, &bytes)) {
                        Ok(count) => count,
                        Err(Errno::AGAIN) => 0,
                        Err(_) => return Err(End::SocketFailed),
                    };
                    stream.release(count);
                    if count < bytes.len() {
                        self.writable = false;
                        stream.put_back(bytes, count);
                    }
                    *tunnels.direction(self.pod, self.way).bytes_down(self.way) += count as u64;
                }
            }
        }
        if self.received_all {
            return Ok(());
        }
        // The application takes nothing now; but a peer that has cut the tunnel off must not go unnoticed.
        let Some(stream) = tunnels.stream(self.stream) else { return Err(End::CutOff) };
        stream.take_in();
        if stream.is_cut_off() { Err(End::CutOff) } else { Ok(()) }
    }

    /// Ends both sides, each as the other has ended.
    pub fn end(self, tunnels: &mut Tunnels, end: End) {
        let opened = self.stage == Stage::Open;
        let direction = tunnels.direction(self.pod, self.way);
        if opened {
            direction.open -= 1;
        } else {
            direction.refused += 1;
        }
        match end {
            End::Finished => tunnels.forget(self.stream, None),
            End::CutOff => {
                reset_on_close(&self.socket);
                tunnels.forget(self.stream, Some(Reason::CANCEL));
            }
            End::SocketFailed if !opened && self.way == Way::Inbound => {
                if let Some(stream) = tunnels.stream(self.stream) {
                    stream.answer(StatusCode::SERVICE_UNAVAILABLE);
                }
                tunnels.forget(self.stream, None);
            }
            // RFC 9113, 8.5: a reset of the connection is a stream error of this type.
            End::SocketFailed => tunnels.forget(self.stream, Some(Reason::CONNECT_ERROR)),
        }
    }
}
