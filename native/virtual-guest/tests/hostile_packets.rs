//! A guest whose rings are right and whose packets are not: its own streams suffer, nothing else.

mod common;

use common::neighbour::Neighbour;
use common::{Scene, far, pod, round_trip};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use virtual_guest::peer::{CHARGEN, ECHO, STUCK};
use virtual_guest::{Address, Guest, Header, Op, Options, payload};

/// KiB by which a device may grow on a guest that does not fill streams.
const GROWTH_KIB: u64 = 16 * 1024;

fn call(guest: &Guest, port: u32, service: u16) -> Header {
    Header { buf_alloc: 262_144, ..Header::new(Address::new(guest.cid(), port), far(service), Op::Request) }
}

/// A guest that does not mind what comes back, and never answers it.
fn careless() -> Options {
    Options { strict: false, answers_strays: false, ..Options::default() }
}

#[test]
fn every_operation_on_no_stream_is_answered_by_reset_or_not_at_all() {
    let mut scene = Scene::new(1);
    let guest = scene.guest_with(0, careless());
    for op in 0..=300 {
        for length in [0, 1, 100, u32::MAX] {
            let header = Header { op, length, ..call(&guest, 6000 + u32::from(op), ECHO) };
            if op != Op::Request as u16 {
                guest.send_packet(&header, &[9; 100]).expect("sending");
            }
        }
    }
    guest.run_for(Duration::from_millis(50)).expect("working");
    let stats = scene.stats(0);
    assert!(stats["closed"].is_null());
    assert_eq!(stats["outbound"]["opened"], 0);
    assert!(guest.seen().of(Op::Reset) > 0);
    round_trip(&mut guest.connect(far(ECHO)).expect("calling"), b"still there").expect("an echo");
}

#[test]
fn wrong_lengths_end_the_stream_they_are_for() {
    let scene = Scene::new(1);
    let guest = scene.guest_with(0, careless());
    for (said, sent) in [(0, 100), (99, 100), (101, 100), (u32::MAX, 100), (100, 0), (65_536, 65_535)] {
        let mut stream = guest.connect(far(ECHO)).expect("calling");
        let near = Address::new(guest.cid(), stream.port());
        let data = Header { length: said, buf_alloc: 262_144, ..Header::new(near, far(ECHO), Op::Data) };
        guest.send_packet(&data, payload::at(0, sent)).expect("sending");
        let (mut back, mut byte) = (0, [0; 1000]);
        let outcome = loop {
            guest.run_for(Duration::from_millis(20)).expect("working");
            match stream.try_read(&mut byte) {
                Ok(Some(count)) => back += count,
                other => break other,
            }
        };
        // At most what it said comes back; what it said and did not send never does.
        assert!(back <= said as usize && back <= sent, "{said} said, {sent} sent, {back} came back");
        if said as usize > sent {
            assert_eq!(outcome.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        }
    }
    round_trip(&mut guest.connect(far(ECHO)).expect("calling"), b"still there").expect("an echo");
}

#[test]
fn credit_lies() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, careless());
    let lies =
        [(0, 0), (0, u32::MAX), (u32::MAX, 0), (u32::MAX, u32::MAX), (1, 7), (262_144, 1 << 31), (10, u32::MAX - 5)];
    for (number, (buf_alloc, fwd_cnt)) in lies.into_iter().enumerate() {
        let port = 7000 + number as u32;
        for service in [CHARGEN, ECHO] {
            let near = Address::new(guest.cid(), port);
            let lie = |op| Header { buf_alloc, fwd_cnt, ..Header::new(near, far(service), op) };
            guest.send_packet(&lie(Op::Request), &[]).expect("calling");
            guest.send_packet(&lie(Op::CreditUpdate), &[]).expect("lying");
            guest.send_packet(&lie(Op::CreditRequest), &[]).expect("asking");
            let data = Header { length: 5000, ..lie(Op::Data) };
            guest.send_packet(&data, &[1; 5000]).expect("sending");
            guest.run_for(Duration::from_millis(5)).expect("working");
        }
    }
    neighbour.wait_for(50);
    let stats = scene.stats(0);
    assert!(stats["closed"].is_null(), "{stats}");
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the device has grown by {grown} KiB");
    neighbour.finish();
}

#[test]
fn no_credit_no_bytes() {
    let mut scene = Scene::new(1);
    let guest = scene.guest_with(0, Options { credit_bytes: 1000, ..careless() });
    let stream = guest.connect(far(CHARGEN)).expect("calling");
    guest.run_for(Duration::from_millis(50)).expect("working");
    assert_eq!(scene.stats(0)["outbound"]["bytesToGuest"], 1000);
    // It claims to have taken more than was sent: credit must not come from that.
    let near = Address::new(guest.cid(), stream.port());
    for fwd_cnt in [1001, 500_000, u32::MAX, 1 << 31] {
        let lie = Header { buf_alloc: 1000, fwd_cnt, ..Header::new(near, far(CHARGEN), Op::CreditUpdate) };
        guest.send_packet(&lie, &[]).expect("lying");
        guest.run_for(Duration::from_millis(20)).expect("working");
    }
    let sent = scene.stats(0)["outbound"]["bytesToGuest"].as_u64().expect("a number");
    assert!(sent <= 2000, "{sent} bytes for a guest with room for 1000");
}

#[test]
fn more_than_the_device_granted() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, careless());
    for number in 0..40 {
        guest.send_packet(&call(&guest, 8000 + number, STUCK), &[]).expect("calling");
        let near = Address::new(guest.cid(), 8000 + number);
        let data = Header { length: 65_536, buf_alloc: 262_144, ..Header::new(near, far(STUCK), Op::Data) };
        for _ in 0..40 {
            guest.send_packet(&data, &[1; 65_536]).expect("flooding");
        }
    }
    neighbour.wait_for(50);
    let stats = scene.stats(0);
    let taken = stats["outbound"]["bytesFromGuest"].as_u64().expect("a number");
    assert!(taken < 40 * (1 << 20), "{taken} bytes of {} were taken beyond all credit", 40 * 40 * 65_536);
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < 40 * 300, "the device has grown by {grown} KiB");
    neighbour.finish();
}

#[test]
fn full_streams_by_the_thousand_stay_within_the_guests_budget() {
    let scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest(0);
    let mut streams = Vec::new();
    for _ in 0..1500 {
        let mut stream = guest.connect(far(STUCK)).expect("calling");
        // All the credit there is, and what the sockets take beside.
        while stream.try_write(payload::at(0, 65_536)).expect("sending") > 0 {
            guest.run_for(Duration::from_micros(200)).expect("working");
        }
        streams.push(stream);
    }
    neighbour.wait_for(50);
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < 96 * 1024, "the device holds {grown} KiB for one guest");
    neighbour.finish();
}

#[test]
fn floods() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, careless());
    let mut stream = guest.connect(far(ECHO)).expect("calling");
    let near = Address::new(guest.cid(), stream.port());
    for op in [Op::CreditRequest, Op::CreditUpdate, Op::Reset, Op::Response, Op::Shutdown, Op::Request] {
        // On no stream, and on one that is open.
        for number in 0..50_000_u32 {
            let nowhere = Address::new(guest.cid(), 20_000 + number % 1000);
            let header = Header { buf_alloc: 262_144, ..Header::new(nowhere, far(ECHO), op) };
            guest.send_packet(&header, &[]).expect("flooding");
        }
        if op == Op::CreditRequest {
            for _ in 0..50_000 {
                guest
                    .send_packet(&Header { buf_alloc: 262_144, ..Header::new(near, far(ECHO), op) }, &[])
                    .expect("flooding");
            }
            round_trip(&mut stream, b"asked fifty thousand times").expect("an echo");
        }
    }
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the device has grown by {grown} KiB");
    assert!(scene.stats(0)["closed"].is_null());
    neighbour.finish();
}

#[test]
fn questions_whose_answers_are_never_fetched() {
    let scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, Options { receives: false, ..careless() });
    for number in 0..500_000_u32 {
        let op = if number % 2 == 0 { Op::CreditRequest } else { Op::Response };
        let nowhere = Address::new(guest.cid(), number);
        guest.send_packet(&Header::new(nowhere, far(ECHO), op), &[]).expect("the device takes packets");
    }
    neighbour.wait_for(50);
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the device has grown by {grown} KiB");
    neighbour.finish();
}

#[test]
fn a_million_connects() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, careless());
    // Never closed: the guest's share of streams is used up, and further ones are refused.
    for number in 0..1_000_000_u32 {
        guest.send_packet(&call(&guest, number, ECHO), &[]).expect("calling");
    }
    neighbour.wait_for(50);
    let stats = scene.stats_when(0, |stats| stats["packetsFromGuest"] == 1_000_000);
    let open = stats["outbound"]["open"].as_u64().expect("a number");
    assert!((10_000..=16_384).contains(&open), "{open} streams open");
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the device has grown by {grown} KiB");
    neighbour.finish();
    drop(guest);
    scene.stats_when(0, |stats| stats["connected"] == false && stats["outbound"]["open"] == 0);
}

#[test]
fn nobody_speaks_in_anothers_name_or_reaches_what_is_not_its_own() {
    let mut scene = Scene::new(2);
    let (honest, hostile) = (scene.guest(1), scene.guest_with(0, careless()));
    let mut victim = honest.call_from(9000, far(ECHO)).expect("calling");
    victim.wait_until_open().expect("open");
    // Packets in the name of the other guest, for its streams.
    for cid in [honest.cid(), 0, 1, 2, u64::MAX, honest.cid() | 1 << 32, hostile.cid() | 1 << 40] {
        for op in Op::ALL {
            let header = Header { length: 0, ..Header::new(Address::new(cid, 9000), far(ECHO), op) };
            hostile.send_packet(&header, &[]).expect("sending");
        }
    }
    // Destinations that are no hosts, ports that are no TCP ports, the device's own side, the other guest's CID.
    let nowhere: [(u64, u32); 14] = [
        (0, 80),
        (1, 80),
        (2, 80),
        (2, 22),
        (2, 66_560),
        (3, 80),
        (4, 66_560),
        (honest.cid(), 80),
        (0x7f00_0001, 80),
        (0xe000_0001, 80),
        (0xffff_ffff, 80),
        (0x0a0a_0214, 0),
        (0x0a0a_0214, 65_536),
        (0x1_0a0a_0214, 80),
    ];
    for (cid, port) in nowhere {
        let outcome = hostile.connect((cid, port));
        let refused = matches!(outcome.as_ref().map_err(std::io::Error::kind), Err(ErrorKind::ConnectionRefused));
        assert!(refused, "a call to {cid:#x}:{port} was put through");
    }
    round_trip(&mut victim, b"undisturbed").expect("the other guest's stream");
    assert!(scene.peers[0].calls().is_empty(), "{:?}", scene.peers[0].calls());
    // Each guest's calls come out of its own socket, in its own pod's name.
    round_trip(&mut hostile.connect(far(ECHO)).expect("calling"), b"its own").expect("its own stream");
    let own = |guest: usize| scene.peers[guest].calls().iter().map(|names| *names.from.ip()).collect::<Vec<_>>();
    assert_eq!((own(0), own(1)), (vec![pod(0)], vec![pod(1)]));
    let stats = scene.stats(0);
    assert_eq!((&stats["outbound"]["opened"], &stats["agent"]["opened"]), (&1.into(), &0.into()));
}

#[test]
fn answers_that_nobody_asked_for() {
    let mut scene = Scene::new(1);
    let guest = scene.guest_with(0, careless());
    let caller = SocketAddrV4::new(Ipv4Addr::new(10, 10, 2, 20), 40_000);
    guest.listen(80);
    let mut inbound = scene.call_in(0, caller, 80);
    let mut called = guest.accept(80).expect("a call");
    // A second answer ends the stream; data before an answer would, too.
    let near = Address::new(guest.cid(), 80);
    guest.send_packet(&Header::new(near, caller.into(), Op::Response), &[]).expect("answering twice");
    guest.run_until(|| !called.is_open()).expect("a reset");
    assert_eq!(called.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    assert!(matches!(inbound.read(&mut [0]), Ok(0) | Err(_)));
    let _broken = inbound.write(b"?");
    assert!(scene.stats(0)["closed"].is_null());
}
