//! The node proxy as the uplink of guests: a guest's stream is a tunnel, with no socket between.

use poller::Event;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Instant;
use tunnel::api::{Notice, PodId, Read, Wrote};
use tunnel::{Node, api};
use vsock_tsi::guests::Guests;
use vsock_tsi::pages::{GuestBuffers, GuestBytes};
use vsock_tsi::uplink::{Opening, Readiness, Refused, StreamId, Uplink};

/// Both names of a stream, and whose it is.
#[derive(Debug, Clone, Copy)]
struct Pair {
    guest: u16,
    stream: StreamId,
    tunnel: api::StreamId,
}

/// The node, and which tunnel belongs to which guest's stream.
struct Shared {
    node: Node,
    /// By the tunnel's index.
    pairs: Vec<Option<Pair>>,
    /// Which guest is a pod's application.
    served: Vec<(PodId, u16)>,
}

impl Shared {
    fn pair(&mut self, pair: Pair) {
        let place = pair.tunnel.index as usize;
        if place >= self.pairs.len() {
            self.pairs.resize(place + 1, None);
        }
        self.pairs[place] = Some(pair);
    }

    fn of_tunnel(&self, tunnel: api::StreamId) -> Option<Pair> {
        self.pairs.get(tunnel.index as usize).copied().flatten().filter(|pair| pair.tunnel == tunnel)
    }

    fn part(&mut self, tunnel: api::StreamId) {
        if self.of_tunnel(tunnel).is_some() {
            self.pairs[tunnel.index as usize] = None;
        }
    }
}

/// The node proxy of this process, shared by the uplinks of its guests.
#[derive(Clone)]
pub struct Tunnels(Rc<RefCell<Shared>>);

impl Tunnels {
    /// Takes a node in.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self(Rc::new(RefCell::new(Shared { node, pairs: Vec::new(), served: Vec::new() })))
    }

    /// The uplink of a guest, which is its pod's application.
    ///
    /// # Errors
    /// When no pod has this name, or its port for tunnels cannot be had.
    pub fn uplink(&self, guest: u16, name: &str) -> io::Result<Hbone> {
        let mut shared = self.0.borrow_mut();
        let pod = shared.node.pod(name).ok_or_else(|| io::Error::other("a guest without a pod"))?;
        shared.node.serve(pod).map_err(io::Error::other)?;
        shared.served.push((pod, guest));
        Ok(Hbone { shared: Rc::clone(&self.0), guest, pod, tunnels: Vec::new() })
    }

    /// Hands an event to the node.
    pub fn on_event(&self, event: Event) {
        self.0.borrow_mut().node.on_event(event);
    }

    /// Lets the node work, and the guests know what came of it. Whether there was anything to tell.
    pub fn turn(&self, guests: &mut Guests<Hbone>) -> bool {
        self.0.borrow_mut().node.turn();
        let mut told = false;
        loop {
            // Telling a guest may call the node again, so nothing is borrowed meanwhile.
            let notice = self.0.borrow_mut().node.notice();
            let Some(notice) = notice else { return told };
            told = true;
            self.tell(notice, guests);
        }
    }

    fn tell(&self, notice: Notice, guests: &mut Guests<Hbone>) {
        let (tunnel, readiness) = match notice {
            Notice::Arrived { stream, pod, from, to } => return self.arrived(stream, pod, from, to, guests),
            // The guest was told when it called, as an application behind a redirect is.
            Notice::Opened(_) => return,
            // The tunnel is gone already: reading says so.
            Notice::Refused { stream: tunnel, .. } => (tunnel, Readiness::Broken),
            Notice::Readable(tunnel) => (tunnel, Readiness::Readable),
            Notice::Writable(tunnel) => (tunnel, Readiness::Writable),
        };
        let pair = self.0.borrow().of_tunnel(tunnel);
        if let Some(pair) = pair {
            guests.ready(pair.guest, pair.stream, readiness);
        }
    }

    fn arrived(
        &self,
        tunnel: api::StreamId,
        pod: PodId,
        from: SocketAddrV4,
        to: SocketAddrV4,
        guests: &mut Guests<Hbone>,
    ) {
        let served = self.0.borrow().served.iter().find(|(served, _)| *served == pod).map(|(_, guest)| *guest);
        let called = served.and_then(|number| {
            let guest = guests.get(number)?;
            let stream = guest.traffic.call_tcp(from, to.port()).ok()?;
            guest.traffic.tsi.bind(stream, tunnel);
            Some((number, stream))
        });
        let mut shared = self.0.borrow_mut();
        match called {
            Some((guest, stream)) => shared.pair(Pair { guest, stream, tunnel }),
            None => shared.node.refuse(tunnel),
        }
    }

    /// When `turn` wants to be called at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.0.borrow().node.due()
    }

    /// The pods of a line of statistics.
    #[must_use]
    pub fn stats(&self) -> serde_json::Value {
        self.0.borrow().node.stats()
    }

    /// Takes nothing new; peers are told.
    pub fn drain(&self) {
        self.0.borrow_mut().node.drain();
    }

    /// Whether the last tunnel has ended.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.0.borrow().node.is_drained()
    }
}

/// One guest's way into the node.
pub struct Hbone {
    shared: Rc<RefCell<Shared>>,
    guest: u16,
    pod: PodId,
    /// By the guest's stream's index.
    tunnels: Vec<Option<(StreamId, api::StreamId)>>,
}

impl Hbone {
    fn bind(&mut self, stream: StreamId, tunnel: api::StreamId) {
        let place = stream.index as usize;
        if place >= self.tunnels.len() {
            self.tunnels.resize(place + 1, None);
        }
        self.tunnels[place] = Some((stream, tunnel));
    }

    fn tunnel(&self, stream: StreamId) -> Option<api::StreamId> {
        let (bound, tunnel) = self.tunnels.get(stream.index as usize).copied().flatten()?;
        (bound == stream).then_some(tunnel)
    }

    fn unbind(&mut self, stream: StreamId) -> Option<api::StreamId> {
        let tunnel = self.tunnel(stream)?;
        self.tunnels[stream.index as usize] = None;
        self.shared.borrow_mut().part(tunnel);
        Some(tunnel)
    }
}

fn gone() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Uplink for Hbone {
    /// The call succeeds at once, as with a redirect to a node proxy; a tunnel that is refused resets it.
    fn open(&mut self, stream: StreamId, from: SocketAddrV4, to: SocketAddrV4) -> Result<Opening, Refused> {
        let mut shared = self.shared.borrow_mut();
        let tunnel = shared.node.open(self.pod, from, to).map_err(|_| Refused)?;
        shared.pair(Pair { guest: self.guest, stream, tunnel });
        drop(shared);
        self.bind(stream, tunnel);
        Ok(Opening::Done)
    }

    fn answered(&mut self, stream: StreamId, accepted: bool) {
        if accepted {
            if let Some(tunnel) = self.tunnel(stream) {
                self.shared.borrow_mut().node.accept(tunnel);
            }
        } else if let Some(tunnel) = self.unbind(stream) {
            self.shared.borrow_mut().node.refuse(tunnel);
        }
    }

    fn write(&mut self, stream: StreamId, from_guest: &GuestBytes<'_>) -> io::Result<usize> {
        let tunnel = self.tunnel(stream).ok_or_else(gone)?;
        let mut shared = self.shared.borrow_mut();
        let mut taken = 0;
        while taken < from_guest.len() {
            let fill = |room: &mut [u8]| {
                from_guest.copy_to(taken, room);
            };
            match shared.node.write_with(tunnel, from_guest.len() - taken, fill) {
                Wrote::Taken(count) => taken += count,
                Wrote::Pending => break,
                Wrote::Broken => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(taken)
    }

    fn read(&mut self, stream: StreamId, into_guest: &mut GuestBuffers<'_>) -> io::Result<usize> {
        let tunnel = self.tunnel(stream).ok_or_else(gone)?;
        let mut shared = self.shared.borrow_mut();
        while into_guest.room() > 0 {
            match shared.node.read_with(tunnel, |bytes| into_guest.fill(bytes)) {
                Read::Taken(_) => {}
                // What was read before the end is told first: the end is there still when the device reads again.
                _ if into_guest.filled() > 0 => break,
                Read::Finished => return Ok(0),
                Read::Reset => return Err(gone()),
                Read::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        Ok(into_guest.filled())
    }

    fn finish(&mut self, stream: StreamId) {
        if let Some(tunnel) = self.tunnel(stream) {
            self.shared.borrow_mut().node.finish(tunnel);
        }
    }

    fn close(&mut self, stream: StreamId, reset: bool) {
        let Some(tunnel) = self.unbind(stream) else { return };
        let node = &mut self.shared.borrow_mut().node;
        // What the guest has written before it closed is still on its way.
        if reset { node.reset(tunnel) } else { node.leave(tunnel) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.borrow_mut().node.turn();
        Ok(())
    }
}
