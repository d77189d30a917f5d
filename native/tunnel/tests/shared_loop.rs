//! The library without sockets of an application: two nodes and their caller on one loop.

mod support;

use poller::{Events, Poller};
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{World, content};
use tunnel::Node;
use tunnel::api::{Notice, PodId, Read, StreamId, Wrote};

struct Loop {
    poller: Rc<Poller>,
    nodes: [Node; 2],
    pods: [PodId; 2],
    notices: [VecDeque<Notice>; 2],
    from: SocketAddrV4,
    to: SocketAddrV4,
    _world: World,
}

impl Loop {
    fn new() -> Self {
        let world = World::new();
        let (mut client, mut server) = world.pair();
        for pod in [&mut client, &mut server] {
            (pod.outbound_socket, pod.inbound_socket) = (None, None);
        }
        let poller = Rc::new(Poller::new().unwrap());
        let mut near = Node::new(std::slice::from_ref(&client), Rc::clone(&poller), 0).unwrap();
        let mut far = Node::new(std::slice::from_ref(&server), Rc::clone(&poller), 1).unwrap();
        let pods = [near.pod("client").unwrap(), far.pod("server").unwrap()];
        near.serve(pods[0]).unwrap();
        far.serve(pods[1]).unwrap();
        let from = SocketAddrV4::new(client.address, 4000);
        let to = SocketAddrV4::new(server.address, 80);
        Self { poller, nodes: [near, far], pods, notices: Default::default(), from, to, _world: world }
    }

    fn turn(&mut self) {
        for (node, notices) in self.nodes.iter_mut().zip(&mut self.notices) {
            node.turn();
            notices.extend(std::iter::from_fn(|| node.notice()));
        }
        if self.notices.iter().all(VecDeque::is_empty) {
            let mut events = Events::with_capacity(16);
            self.poller.wait(&mut events, Some(Duration::from_millis(20))).unwrap();
            events.iter().for_each(|event| self.nodes[usize::from(event.token.owner())].on_event(event));
        }
    }

    /// The next notice of a node that `pick` takes; others are dropped.
    fn until<T>(&mut self, node: usize, pick: impl Fn(Notice) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            while let Some(notice) = self.notices[node].pop_front() {
                if let Some(picked) = pick(notice) {
                    return picked;
                }
            }
            assert!(Instant::now() < deadline, "the notice does not come");
            self.turn();
        }
    }

    fn arrived(&mut self) -> StreamId {
        let (pod, from, to) = (self.pods[1], self.from, self.to);
        self.until(1, |notice| match notice {
            Notice::Arrived { stream, pod: called, from: caller, to: destination } => {
                assert_eq!((called, *caller.ip(), destination), (pod, *from.ip(), to));
                Some(stream)
            }
            _ => None,
        })
    }

    fn stands(&mut self) -> [StreamId; 2] {
        let near = self.nodes[0].open(self.pods[0], self.from, self.to).unwrap();
        let far = self.arrived();
        self.nodes[1].accept(far);
        self.until(0, |notice| (notice == Notice::Opened(near)).then_some(()));
        [near, far]
    }

    /// Sends all of `bytes` from one node's stream to the other's, and finishes.
    fn carry(&mut self, streams: [StreamId; 2], by: usize, bytes: &[u8]) {
        let (mut sent, mut received, mut finished) = (0, Vec::new(), false);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            while sent < bytes.len() {
                match self.nodes[by].write(streams[by], &bytes[sent..]) {
                    Wrote::Taken(count) => sent += count,
                    Wrote::Pending => break,
                    Wrote::Broken => panic!("cut off"),
                }
            }
            if sent == bytes.len() && !std::mem::replace(&mut finished, true) {
                self.nodes[by].finish(streams[by]);
            }
            let mut part = [0; 30_000];
            loop {
                match self.nodes[1 - by].read(streams[1 - by], &mut part) {
                    Read::Taken(count) => received.extend_from_slice(&part[..count]),
                    Read::Pending => break,
                    Read::Finished => return assert!(received == bytes),
                    Read::Reset => panic!("cut off after {} bytes", received.len()),
                }
            }
            assert!(Instant::now() < deadline, "{} of {} bytes", received.len(), bytes.len());
            self.turn();
            self.notices.iter_mut().for_each(VecDeque::clear);
        }
    }
}

#[test]
fn bytes_go_both_ways_without_a_socket_of_an_application() {
    let mut world = Loop::new();
    for length in [0, 1, 20_000, 5 << 20] {
        let streams = world.stands();
        world.carry(streams, 0, &content(1, length));
        world.carry(streams, 1, &content(2, length));
        world.nodes[0].reset(streams[0]);
        world.nodes[1].reset(streams[1]);
    }
    let stats = [world.nodes[0].stats(), world.nodes[1].stats()];
    let total = 1 + 20_000 + (5 << 20);
    for direction in [&stats[0]["client"]["outbound"], &stats[1]["server"]["inbound"]] {
        assert_eq!((&direction["tunnels"], &direction["open"]), (&4.into(), &0.into()), "{direction:#}");
        assert_eq!((&direction["bytesIn"], &direction["bytesOut"]), (&total.into(), &total.into()), "{direction:#}");
        assert_eq!((&direction["refused"], &direction["tls"]["connections"]), (&0.into(), &1.into()));
    }
}

#[test]
fn bytes_may_go_before_the_answer() {
    let mut world = Loop::new();
    let near = world.nodes[0].open(world.pods[0], world.from, world.to).unwrap();
    // No room before there is a connection.
    assert_eq!(world.nodes[0].write(near, b"early"), Wrote::Pending);
    world.until(0, |notice| (notice == Notice::Writable(near)).then_some(()));
    assert_eq!(world.nodes[0].write(near, b"early"), Wrote::Taken(5));
    let far = world.arrived();
    world.nodes[1].accept(far);
    let mut heard = [0; 16];
    while world.nodes[1].read(far, &mut heard) == Read::Pending {
        world.until(1, |notice| (notice == Notice::Readable(far)).then_some(()));
    }
    assert_eq!(&heard[..5], b"early");
}

#[test]
fn a_reset_is_carried_over_either_way() {
    for by in [0, 1] {
        let mut world = Loop::new();
        let streams = world.stands();
        let other = 1 - by;
        assert_eq!(world.nodes[other].read(streams[other], &mut [0]), Read::Pending);
        world.nodes[by].reset(streams[by]);
        world.until(other, |notice| (notice == Notice::Readable(streams[other])).then_some(()));
        assert_eq!(world.nodes[other].read(streams[other], &mut [0]), Read::Reset);
        world.nodes[other].reset(streams[other]);
        assert_eq!(world.nodes[other].write(streams[other], b"x"), Wrote::Broken);
    }
}

#[test]
fn a_refused_arrival_is_a_503() {
    let mut world = Loop::new();
    let near = world.nodes[0].open(world.pods[0], world.from, world.to).unwrap();
    let far = world.arrived();
    world.nodes[1].refuse(far);
    let status = world.until(0, |notice| match notice {
        Notice::Refused { stream, status } if stream == near => Some(status),
        _ => None,
    });
    assert_eq!(status, Some(503));
    assert_eq!(world.nodes[1].stats()["server"]["inbound"]["refused"], 1);
}

#[test]
fn a_draining_node_ends_after_its_last_tunnel_and_takes_no_other() {
    let mut world = Loop::new();
    let streams = world.stands();
    world.nodes[1].drain();
    assert!(!world.nodes[1].is_drained());
    world.carry(streams, 0, b"still carried");
    world.carry(streams, 1, b"both ways");
    world.nodes[0].reset(streams[0]);
    world.nodes[1].reset(streams[1]);
    assert!(world.nodes[1].is_drained());
    let near = world.nodes[0].open(world.pods[0], world.from, world.to);
    let Ok(near) = near else { return };
    let status = world.until(0, |notice| match notice {
        Notice::Refused { stream, status } if stream == near => Some(status),
        _ => None,
    });
    assert_eq!(status, None);
}

#[test]
fn a_slow_reader_of_many_small_writes_does_not_end_its_neighbours() {
    let mut world = Loop::new();
    let slow = world.stands();
    let neighbour = world.stands();
    let count = 60_000;
    for at in 0..count {
        assert_eq!(world.nodes[0].write(slow[0], &[at as u8]), Wrote::Taken(1));
        if at % 16 == 0 {
            world.turn();
        }
    }
    world.carry(neighbour, 0, b"not disturbed");
    let mut received = 0;
    while received < count {
        let read = world.nodes[1].read_with(slow[1], |bytes| {
            assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == (received + at) as u8));
            bytes.len()
        });
        match read {
            Read::Taken(more) => received += more,
            Read::Pending => world.turn(),
            other => panic!("{other:?} after {received}"),
        }
    }
}

#[test]
fn a_caller_that_takes_back_its_calls_does_not_end_its_neighbours() {
    let mut world = Loop::new();
    let neighbour = world.stands();
    for _ in 0..90 {
        let stream = world.nodes[0].open(world.pods[0], world.from, world.to).unwrap();
        world.nodes[0].turn();
        world.nodes[0].reset(stream);
    }
    world.carry(neighbour, 0, b"not disturbed");
    world.carry(neighbour, 1, b"either way");
}

#[test]
fn what_was_written_before_the_answer_arrives_although_the_caller_has_left() {
    let mut world = Loop::new();
    let near = world.nodes[0].open(world.pods[0], world.from, world.to).unwrap();
    assert_eq!(world.nodes[0].write(near, b"last words"), Wrote::Pending);
    world.until(0, |notice| (notice == Notice::Writable(near)).then_some(()));
    assert_eq!(world.nodes[0].write(near, b"last words"), Wrote::Taken(10));
    world.nodes[0].leave(near);
    let far = world.arrived();
    world.nodes[1].accept(far);
    let mut heard = Vec::new();
    loop {
        let mut part = [0; 16];
        match world.nodes[1].read(far, &mut part) {
            Read::Taken(count) => heard.extend_from_slice(&part[..count]),
            Read::Pending => world.turn(),
            Read::Finished => break,
            Read::Reset => panic!("cut off"),
        }
    }
    assert_eq!(heard, b"last words");
    world.nodes[1].finish(far);
    world.nodes[1].reset(far);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !world.nodes[0].is_drained() {
        assert!(Instant::now() < deadline, "the stream is still there");
        world.turn();
    }
    let outbound = &world.nodes[0].stats()["client"]["outbound"];
    assert_eq!((&outbound["tunnels"], &outbound["refused"], &outbound["open"]), (&1.into(), &0.into(), &0.into()));
}
