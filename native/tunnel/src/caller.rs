//! The calls by which another part of the process uses tunnels without sockets.

#![forbid(unsafe_code)]

use crate::api::{NoWay, Notice, PodId, Read, StreamId, Wrote};
use crate::node::Node;
use crate::proxy_v2::Announced;
use crate::stream::{Answer, Owner, Received, Room, Way};
use crate::table::Key;
use h2::Reason;
use http::StatusCode;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// How long a peer may take to end a stream that was left (tcp_fin_timeout's default).
const LINGER: Duration = Duration::from_secs(60);

impl From<StreamId> for Key {
    fn from(id: StreamId) -> Self {
        Self { index: id.index, generation: id.generation }
    }
}

impl From<Key> for StreamId {
    fn from(key: Key) -> Self {
        Self { index: key.index, generation: key.generation }
    }
}

impl Node {
    /// Opens a tunnel from a pod, for `from`, to an original destination. [`Notice::Opened`] or [`Notice::Refused`]
    /// follows; bytes may be written at once.
    ///
    /// # Errors
    /// When there is no way to the destination.
    pub fn open(&mut self, pod: PodId, from: SocketAddrV4, to: SocketAddrV4) -> Result<StreamId, NoWay> {
        let place = pod.0 as usize;
        let opened = self.tunnels.open(place, Owner::Caller, Announced { from, to });
        let direction = self.tunnels.direction(place, Way::Outbound);
        direction.accepted += 1;
        let Some(key) = opened else {
            direction.refused += 1;
            return Err(NoWay);
        };
        Ok(key.into())
    }

    /// The next notice.
    pub fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Grants a stream that has arrived: 200.
    pub fn accept(&mut self, id: StreamId) {
        let granted = self.tunnels.stream(id.into()).is_some_and(|stream| stream.answer(StatusCode::OK));
        if granted {
            self.opened(id.into());
        }
    }

    /// Turns down a stream that has arrived: 503. It is forgotten.
    pub fn refuse(&mut self, id: StreamId) {
        if let Some(pod) = self.tunnels.stream(id.into()).map(|stream| stream.pod) {
            self.refuse_stream(id.into(), pod, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    /// Writes up to `most` bytes: `fill` is given the room there is, and has to fill it.
    pub fn write_with(&mut self, id: StreamId, most: usize, fill: impl FnOnce(&mut [u8])) -> Wrote {
        let Some(stream) = self.tunnels.stream(id.into()) else { return Wrote::Broken };
        let room = match stream.room(most) {
            Room::Bytes(room) => room,
            Room::Later => {
                stream.told.write_waits = true;
                return Wrote::Pending;
            }
            Room::Broken => return Wrote::Broken,
        };
        let room = self.scratch.room(room);
        let count = room.len();
        fill(room);
        if !stream.send(self.scratch.take(count)) {
            return Wrote::Broken;
        }
        stream.unreserve();
        let (pod, way) = (stream.pod, stream.way);
        *self.tunnels.direction(pod, way).bytes_up(way) += count as u64;
        Wrote::Taken(count)
    }

    /// Writes a copy of what there is room for.
    pub fn write(&mut self, id: StreamId, bytes: &[u8]) -> Wrote {
        self.write_with(id, bytes.len(), |room| room.copy_from_slice(&bytes[..room.len()]))
    }

    /// Reads: `take` is given bytes, and says how many of them it has taken.
    pub fn read_with(&mut self, id: StreamId, take: impl FnOnce(&[u8]) -> usize) -> Read {
        loop {
            let Some(stream) = self.tunnels.stream(id.into()) else { return Read::Reset };
            match stream.receive() {
                // A frame without bytes says nothing.
                Received::Data(bytes) if bytes.is_empty() => {}
                Received::Data(bytes) => {
                    let count = take(&bytes);
                    stream.release(count);
                    stream.put_back(bytes, count);
                    let (pod, way) = (stream.pod, stream.way);
                    *self.tunnels.direction(pod, way).bytes_down(way) += count as u64;
                    return Read::Taken(count);
                }
                Received::Later => {
                    stream.told.read_waits = true;
                    return Read::Pending;
                }
                Received::Finished => return Read::Finished,
                Received::Reset => return Read::Reset,
            }
        }
    }

    /// Reads a copy.
    pub fn read(&mut self, id: StreamId, into: &mut [u8]) -> Read {
        self.read_with(id, |bytes| {
            let count = bytes.len().min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
            count
        })
    }

    /// Ends our half: what was written goes out, then the end.
    pub fn finish(&mut self, id: StreamId) {
        if let Some(stream) = self.tunnels.stream(id.into()) {
            // A stream that was cut off is told by reading.
            let _ended = stream.finish();
        }
    }

    /// Forgets a stream; what has not ended both ways is cut off.
    pub fn reset(&mut self, id: StreamId) {
        let Some(stream) = self.tunnels.stream(id.into()) else { return };
        let (pod, way, opened) = (stream.pod, stream.way, stream.told.opened);
        let direction = self.tunnels.direction(pod, way);
        if opened {
            direction.open -= 1;
        } else {
            direction.refused += 1;
        }
        self.tunnels.forget(id.into(), Some(Reason::CANCEL));
    }

    /// Ends our half and reads no more, as close(2) does: what was written goes out, and the stream is forgotten when the
    /// peer has ended its half. A peer that sends on is cut off.
    pub fn leave(&mut self, id: StreamId) {
        let Some(stream) = self.tunnels.stream(id.into()) else { return };
        // Before there is a request, or an answer to the peer's, nothing was written.
        if !stream.finish() {
            return self.reset(id);
        }
        stream.owner = Owner::Left;
        self.left.push_back((Instant::now() + LINGER, id.into()));
        self.linger(id.into());
    }

    /// A stream that was left: whether the peer has ended, or has not understood.
    pub(crate) fn linger(&mut self, key: Key) {
        let Some(stream) = self.tunnels.stream(key) else { return };
        if stream.way == Way::Outbound && !stream.told.opened {
            match stream.poll_answer() {
                Answer::Later => return,
                Answer::Granted => self.opened(key),
                Answer::Denied(_) => return self.reset(key.into()),
            }
        }
        let Some(stream) = self.tunnels.stream(key) else { return };
        loop {
            match stream.receive() {
                Received::Data(bytes) if bytes.is_empty() => {}
                Received::Later => return,
                Received::Data(_) | Received::Finished | Received::Reset => return self.reset(key.into()),
            }
        }
    }

    /// Cuts off what a peer has not ended for too long.
    pub(crate) fn end_left(&mut self, now: Instant) {
        while let Some(&(until, key)) = self.left.front() {
            let lives = self.tunnels.stream(key).is_some_and(|stream| stream.owner == Owner::Left);
            if lives && until > now {
                return;
            }
            self.left.pop_front();
            if lives {
                self.reset(key.into());
            }
        }
    }

    /// A stream of the caller was woken.
    pub(crate) fn tell(&mut self, id: StreamId) {
        let Some(stream) = self.tunnels.stream(id.into()) else { return };
        if stream.way == Way::Outbound && !stream.told.opened {
            match stream.poll_answer() {
                Answer::Later => {}
                Answer::Granted => {
                    self.opened(id.into());
                    self.notices.push_back(Notice::Opened(id));
                }
                Answer::Denied(status) => {
                    self.reset(id);
                    let status = status.map(|status| status.as_u16());
                    return self.notices.push_back(Notice::Refused { stream: id, status });
                }
            }
        }
        let Some(stream) = self.tunnels.stream(id.into()) else { return };
        if std::mem::take(&mut stream.told.read_waits) {
            self.notices.push_back(Notice::Readable(id));
        } else {
            // The caller has not read what it was told of.
            stream.take_in();
        }
        if std::mem::take(&mut stream.told.write_waits) {
            self.notices.push_back(Notice::Writable(id));
        }
    }

    fn opened(&mut self, key: Key) {
        let Some(peer) = self.tunnels.peer(key) else { return };
        let Some(stream) = self.tunnels.stream(key) else { return };
        stream.told.opened = true;
        // Until the caller reads, what comes is taken in; this also asks to be woken.
        stream.take_in();
        let (pod, way, to) = (stream.pod, stream.way, stream.to);
        let direction = self.tunnels.direction(pod, way);
        direction.opened(&peer, to);
        direction.open += 1;
    }
}
