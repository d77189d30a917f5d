//! The life of streams, told by packets.

use super::mock::{Bench, PORT, THERE};
use super::*;
use crate::budget::WINDOW;
use crate::packet::{NO_MORE, NO_MORE_RECEIVE, NO_MORE_SEND, op};
use crate::uplink::Opening;

#[test]
fn a_call_carries_its_names_and_bytes_both_ways() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    let (_, from, to) = bench.traffic.tsi.opened[0];
    assert_eq!((from.to_string(), to.to_string()), ("10.10.1.10:40000".into(), "10.10.2.20:8080".into()));
    bench.say(op::RW, b"question");
    assert_eq!(bench.traffic.tsi.live[&id].written, b"question");
    bench.far_says(id, b"answer", false);
    let (header, payload) = bench.next().unwrap();
    assert_eq!((header.op, header.taken, &payload[..]), (op::RW, 8, &b"answer"[..]));
    assert_eq!((header.from_cid, header.to_cid, header.from_port, header.to_port), (THERE.into(), 3, 8080, PORT));
    let stats = bench.traffic.snapshot();
    assert_eq!((stats.outbound.opened, stats.outbound.open), (1, 1));
    assert_eq!(stats.destinations.get("10.10.2.20:8080").unwrap().bytes_to_guest, 6);
}

#[test]
fn either_half_can_end_first_and_both_end_in_good_order() {
    for guest_first in [true, false] {
        let mut bench = Bench::tsi();
        let id = bench.open();
        if guest_first {
            bench.shutdown(NO_MORE_SEND);
            assert!(bench.traffic.tsi.live[&id].finished);
        }
        bench.far_says(id, b"last", true);
        assert_eq!(bench.next().unwrap().1, b"last");
        let flags = bench.next().unwrap().0.flags;
        assert_eq!(flags, if guest_first { NO_MORE } else { NO_MORE_SEND });
        if !guest_first {
            bench.say(op::RW, b"late");
            assert_eq!(bench.traffic.tsi.live[&id].written, b"late");
            bench.shutdown(NO_MORE_SEND);
            assert_eq!(bench.next().unwrap().0.flags, NO_MORE);
        }
        assert_eq!(bench.traffic.tsi.ended[&id].closed, Some(false));
        // The guest still has its socket; what it sends is ignored, its reset ends all.
        bench.say(op::CREDIT_UPDATE, &[]);
        assert!(bench.ops().is_empty());
        bench.say(op::RST, &[]);
        assert_eq!(bench.traffic.streams.iter().count(), 0);
        assert_eq!(bench.traffic.snapshot().outbound.open, 0);
    }
}

#[test]
fn a_closed_socket_is_reset_when_its_last_bytes_are_taken() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    bench.traffic.tsi.room = 3;
    bench.say(op::RW, b"abcdef");
    bench.shutdown(NO_MORE);
    assert!(bench.ops().is_empty(), "not yet");
    bench.traffic.tsi.room = 100;
    bench.traffic.ready(id, Readiness::Writable);
    assert_eq!(bench.ops(), [op::RST]);
    let seen = &bench.traffic.tsi.ended[&id];
    assert_eq!((&seen.written[..], seen.finished, seen.closed), (&b"abcdef"[..], true, Some(false)));
}

#[test]
fn a_guest_tired_of_waiting_still_gets_its_last_bytes_through() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    bench.traffic.tsi.room = 0;
    bench.say(op::RW, b"abc");
    bench.shutdown(NO_MORE);
    bench.say(op::RST, &[]);
    // Its port is free for another call meanwhile.
    let other = bench.open();
    bench.traffic.tsi.room = 100;
    bench.traffic.ready(id, Readiness::Writable);
    assert_eq!(bench.traffic.tsi.ended[&id].written, b"abc");
    assert!(bench.traffic.tsi.live.contains_key(&other));
    assert!(bench.ops().is_empty());
}

#[test]
fn a_refused_call_is_reset_and_a_pending_one_waits() {
    let mut bench = Bench::tsi();
    bench.traffic.tsi.opening = Err(Refused);
    bench.say(op::REQUEST, &[]);
    assert_eq!(bench.ops(), [op::RST]);
    bench.traffic.tsi.opening = Ok(Opening::Pending);
    for (readiness, answer) in
        [(Readiness::Opened, op::RESPONSE), (Readiness::Refused, op::RST), (Readiness::Broken, op::RST)]
    {
        bench.send(Bench::header(op::REQUEST, answer.into()), &[]);
        assert!(bench.ops().is_empty());
        let id = bench.traffic.tsi.opened.last().unwrap().0;
        if readiness == Readiness::Refused {
            bench.traffic.tsi.live.remove(&id);
        }
        bench.traffic.ready(id, readiness);
        assert_eq!(bench.ops(), [answer], "{readiness:?}");
        bench.send(Bench::header(op::RST, answer.into()), &[]);
    }
    assert_eq!(bench.traffic.stats.outbound.refused, 3);
    assert_eq!(bench.traffic.streams.iter().count(), 0);
}

#[test]
fn only_what_the_device_serves_can_be_called() {
    let mut bench = Bench::tsi();
    for (to_cid, to_port) in [
        (2, 1024),
        (1, 8080),
        (0, 8080),
        (THERE, 0),
        (THERE, 65536),
        (0x7f00_0001, 80),
        (0xe000_0001, 80),
        (u32::MAX, 80),
    ] {
        bench.send(Header { to_cid: to_cid.into(), to_port, ..Bench::header(op::REQUEST, PORT) }, &[]);
        assert_eq!(bench.ops(), [op::RST], "{to_cid:#x}:{to_port}");
    }
    let mut agent_only = Bench::new(&[&[Service::Agent], &[Service::Tsi]]);
    agent_only.say(op::REQUEST, &[]);
    assert_eq!(agent_only.ops(), [op::RST]);
    assert!(bench.traffic.tsi.opened.is_empty() && agent_only.traffic.tsi.opened.is_empty());
}

#[test]
fn the_device_says_its_version_and_the_address() {
    let mut bench = Bench::tsi();
    let to_hello = |op| Header { to_cid: 2, to_port: crate::hello::PORT, ..Bench::header(op, PORT) };
    bench.send(to_hello(op::REQUEST), &[]);
    assert_eq!(bench.ops(), [op::RESPONSE]);
    bench.send(to_hello(op::RW), b"TSI/1\n");
    assert_eq!(bench.next().unwrap().1, b"TSI/1 10.10.1.10\n");
    assert_eq!(bench.next().unwrap().0.flags, NO_MORE_SEND);
}

#[test]
fn packets_that_make_no_sense_are_reset_and_resets_are_not() {
    let mut bench = Bench::tsi();
    let good = Bench::header(op::REQUEST, PORT);
    for bad in [
        Header { from_cid: 4, ..good },
        Header { to_cid: 1 << 32, ..good },
        Header { kind: 2, ..good },
        Header { op: op::RW, length: 5, ..good },
        Header { op: op::RESPONSE, ..good },
        Header { op: op::SHUTDOWN, ..good },
        Header { op: 99, ..good },
    ] {
        bench.send(bad, b"abc");
        let (reset, _) = bench.next().unwrap();
        assert_eq!((reset.op, reset.to_port, reset.to_cid), (op::RST, PORT, bad.from_cid), "{bad:?}");
        bench.send(Header { op: op::RST, ..bad }, b"abc");
        assert!(bench.next().is_none());
    }
    bench.traffic.receive(0, &[(&mut [0_u8; 43][..]).into()], &mut Vec::new());
    assert!(bench.next().is_none());
}

#[test]
fn a_flood_of_nonsense_is_answered_within_bounds() {
    let mut bench = Bench::tsi();
    for port in 0..10_000 {
        bench.send(Bench::header(op::RW, port), b"x");
    }
    assert_eq!(bench.ops().len(), 1024);
}

#[test]
fn streams_are_bounded() {
    let mut bench = Bench::tsi();
    for port in 0..17_000 {
        bench.send(Bench::header(op::REQUEST, port), &[]);
    }
    assert_eq!(bench.traffic.stats.outbound, Flow { opened: 16_384, refused: 616, ..Flow::default() });
    assert_eq!(bench.traffic.snapshot().outbound.open, 16_384);
    bench.traffic.detach(0);
    assert!(bench.traffic.tsi.live.is_empty() && bench.next().is_none());
}

#[test]
fn a_slow_uplink_holds_up_its_own_stream_and_no_more_than_was_granted() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    bench.traffic.tsi.room = 0;
    let piece = vec![7; 64 << 10];
    (0..4).for_each(|_| bench.say(op::RW, &piece));
    assert!(bench.ops().is_empty(), "no credit for bytes not taken");
    bench.traffic.tsi.room = 130 << 10;
    bench.traffic.ready(id, Readiness::Writable);
    let (update, _) = bench.next().unwrap();
    assert_eq!((update.op, update.taken, update.buffer), (op::CREDIT_UPDATE, 130 << 10, WINDOW));
    bench.say(op::RW, &piece);
    bench.say(op::RW, &piece);
    assert!(bench.ops().is_empty(), "the second of these fills the window");
    bench.say(op::RW, &piece);
    assert_eq!(bench.ops(), [op::RST], "one more than granted");
    assert_eq!(bench.traffic.tsi.ended[&id].closed, Some(true));
}

#[test]
fn the_guest_gets_no_more_than_it_can_hold_and_streams_take_turns() {
    let mut bench = Bench::tsi();
    let ports = [1001, 1002, 1003];
    for port in ports {
        bench.send(Header { buffer: 250, ..Bench::header(op::REQUEST, port) }, &[]);
    }
    bench.ops();
    for (id, _, _) in bench.traffic.tsi.opened.clone() {
        bench.far_says(id, &[9; 1000], false);
    }
    let mut order = Vec::new();
    while let Some((header, payload)) = bench.next() {
        order.push((header.to_port, payload.len()));
    }
    let turns: Vec<_> = [100, 100, 50].iter().flat_map(|&length| ports.map(|port| (port, length))).collect();
    assert_eq!(order, turns);
    bench.send(Header { buffer: 250, taken: 240, ..Bench::header(op::CREDIT_UPDATE, 1002) }, &[]);
    assert_eq!(bench.next().unwrap().1.len(), 100);
    bench.send(Header { buffer: 0, taken: 7, ..Bench::header(op::CREDIT_UPDATE, 1002) }, &[]);
    assert!(bench.next().is_none(), "a lie about credit stops its own stream");
}

#[test]
fn a_call_into_the_guest_is_told_its_answer() {
    let mut bench = Bench::tsi();
    let caller: SocketAddrV4 = "10.10.3.30:45678".parse().unwrap();
    let id = bench.traffic.call_tcp(caller, 8080).unwrap();
    let (request, _) = bench.next().unwrap();
    assert_eq!(
        (request.op, request.from_cid, request.from_port, request.to_port),
        (op::REQUEST, 0x0a0a_031e, 45678, 8080)
    );
    let answer = |op| Header {
        from_cid: 3,
        to_cid: 0x0a0a_031e,
        from_port: 8080,
        to_port: 45678,
        kind: 1,
        op,
        buffer: 4096,
        ..Header::default()
    };
    bench.send(answer(op::RESPONSE), &[]);
    assert_eq!(bench.traffic.tsi.live[&id].accepted, Some(true));
    // The name is in use, so the next caller of that name gets the next port.
    let next = bench.traffic.call_tcp(caller, 8080).unwrap();
    assert_eq!(bench.next().unwrap().0.from_port, 45679);
    bench.send(Header { to_port: 45679, ..answer(op::RST) }, &[]);
    assert_eq!(bench.traffic.tsi.ended[&next].accepted, Some(false));
    assert_eq!(bench.traffic.stats.inbound, Flow { opened: 1, refused: 1, ..Flow::default() });
    // A name just used rests: the guest may still reset the stream that had it.
    bench.traffic.call_tcp(caller, 8080).unwrap();
    assert_eq!(bench.next().unwrap().0.from_port, 45680);
}

#[test]
fn calls_into_the_guest_need_the_guest_a_service_and_a_true_name() {
    let mut bench = Bench::tsi();
    let call = |bench: &mut Bench, from: &str, port| bench.traffic.call_tcp(from.parse().unwrap(), port).is_ok();
    assert!(call(&mut bench, "10.0.0.1:1", 80));
    assert!(!call(&mut bench, "0.0.0.2:1", 80) && !call(&mut bench, "255.255.255.255:1", 80));
    assert!(!call(&mut bench, "10.0.0.1:1", 0));
    assert!(bench.traffic.call_agent(66_560).is_ok() && bench.traffic.call_agent(65_535).is_err());
    bench.traffic.detach(0);
    assert!(!call(&mut bench, "10.0.0.1:1", 80) && bench.traffic.call_agent(66_560).is_err());
}

#[test]
fn an_uplink_that_breaks_is_read_to_its_end() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    bench.far_says(id, b"last words", true);
    bench.traffic.tsi.write_fails = true;
    bench.say(op::RW, b"nobody listens");
    let packets: Vec<_> =
        std::iter::from_fn(|| bench.next()).map(|(header, payload)| (header.flags, payload)).collect();
    assert_eq!(packets[0].1, b"last words");
    assert_eq!(packets.last().unwrap().0, NO_MORE);
    assert_eq!(bench.traffic.tsi.ended[&id].closed, Some(false));
}

#[test]
fn a_half_that_is_not_taken_is_told_at_once() {
    let mut bench = Bench::tsi();
    let id = bench.open();
    bench.traffic.ready(id, Readiness::Broken);
    let (header, _) = bench.next().unwrap();
    assert_eq!((header.op, header.flags), (op::SHUTDOWN, NO_MORE_RECEIVE));
}
