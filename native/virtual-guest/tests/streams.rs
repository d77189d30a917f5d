//! Streams through the device: every byte arrives, in order, whatever the sizes, the ends and the neighbours.

mod common;

use common::{Scene, far, pod, round_trip};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};
use std::time::{Duration, Instant};
use virtual_guest::peer::{CHARGEN, DISCARD, ECHO, STUCK};
use virtual_guest::{Options, Stream, payload};

/// Writes and reads at once, so that neither side's buffers have to hold it all.
fn echo(stream: &mut Stream, bytes: usize) {
    let (mut sent, mut back, mut buffer) = (0, 0, vec![0; 65_536]);
    let until = Instant::now() + Duration::from_secs(30);
    while back < bytes {
        if sent < bytes {
            let piece = payload::at(sent as u64, (bytes - sent).min(payload::PIECE));
            sent += stream.try_write(piece).expect("sending");
        }
        let count = match stream.try_read(&mut buffer).expect("receiving") {
            Some(count) => count,
            None if sent == bytes || stream.credit() == 0 => stream.read(&mut buffer).expect("receiving"),
            None => continue,
        };
        assert!(count > 0 && payload::matches(back as u64, &buffer[..count]), "wrong bytes at {back} of {bytes}");
        back += count;
        assert!(Instant::now() < until, "{back} of {bytes} bytes after 30 s");
    }
    assert_eq!(back, bytes);
}

#[test]
fn all_sizes_come_back_as_they_went() {
    let mut scene = Scene::new(1);
    let shapes = [
        Options::default(),
        Options { indirect: true, ..Options::default() },
        Options { joined: true, receive_bytes: 3776, ..Options::default() },
        Options { event_idx: false, ..Options::default() },
        Options { ring_size: 16, credit_bytes: 16_384, receive_bytes: 1000, send_bytes: 3000, ..Options::default() },
        Options { indirect: true, joined: true, event_idx: false, receive_bytes: 65_536, ..Options::default() },
    ];
    let mut total = 0;
    for shape in shapes {
        let guest = scene.guest_with(0, shape);
        for bytes in [1, 2, 43, 44, 45, 63, 1000, 4095, 4096, 4097, 20_000, 65_535, 65_536, 65_537, 262_144, 1 << 20] {
            let mut stream = guest.connect(far(ECHO)).expect("calling");
            for _ in 0..4 {
                echo(&mut stream, bytes);
                total += bytes as u64;
            }
            stream.finish().expect("finishing");
            assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
        }
        guest.run_until(|| guest.streams() <= 16).expect("working");
        drop(guest);
    }
    let stats = scene.stats_when(0, |stats| stats["outbound"]["open"] == 0);
    assert_eq!(stats["outbound"]["bytesFromGuest"], total);
    assert_eq!(stats["outbound"]["bytesToGuest"], total);
    assert_eq!(stats["destinations"]["10.10.2.20:7"]["bytesToGuest"], total);
    assert!(stats["closed"].is_null());
}

#[test]
fn half_closes_go_both_ways() {
    let scene = Scene::new(1);
    let guest = scene.guest(0);
    let mut up = guest.connect(far(DISCARD)).expect("calling");
    up.write_all(payload::at(0, 200_000)).expect("sending");
    up.finish().expect("finishing");
    assert_eq!(up.write(b"more").expect_err("it has finished").kind(), ErrorKind::BrokenPipe);
    let mut total = Vec::new();
    up.read_to_end(&mut total).expect("the far side's answer after the end of ours");
    assert_eq!(total, 200_000_u64.to_be_bytes());
    drop(up);
    guest.run_until(|| guest.streams() == 0).expect("both sides have confirmed the end");

    // The far side finishes first; the guest goes on to send.
    guest.listen(80);
    let mut caller = scene.call_in(0, SocketAddrV4::new(Ipv4Addr::new(10, 10, 2, 20), 40_000), 80);
    caller.write_all(b"question").expect("asking");
    caller.shutdown(Shutdown::Write).expect("finishing");
    let mut called = guest.accept(80).expect("a call");
    let mut question = String::new();
    called.read_to_string(&mut question).expect("the question, and its end");
    assert_eq!(question, "question");
    let answer = std::thread::spawn(move || {
        let mut answer = Vec::new();
        caller.read_to_end(&mut answer).map(|_| answer)
    });
    for position in (0..1 << 20).step_by(1 << 17) {
        called.write_all(payload::at(position, 1 << 17)).expect("answering");
    }
    drop(called);
    let until = Instant::now() + Duration::from_secs(10);
    while !answer.is_finished() && Instant::now() < until {
        guest.run_for(Duration::from_millis(5)).expect("working");
    }
    let answer = answer.join().expect("no panic").expect("the answer");
    assert!(answer.len() == 1 << 20 && payload::matches(0, &answer), "{} bytes", answer.len());
}

#[test]
fn who_is_called_may_speak_first() {
    let scene = Scene::new(1);
    let guest = scene.guest(0);
    let mut stream = guest.connect(far(CHARGEN)).expect("calling");
    let (mut position, mut buffer) = (0, vec![0; 50_000]);
    while position < 8 << 20 {
        let count = stream.read(&mut buffer).expect("receiving");
        assert!(payload::matches(position, &buffer[..count]), "wrong bytes at {position}");
        position += count as u64;
    }
    drop(stream);
    guest.run_until(|| guest.streams() == 0).expect("a stream closed in full flow has an end");

    guest.listen(25);
    let mut caller = scene.call_in(0, SocketAddrV4::new(Ipv4Addr::new(10, 10, 2, 20), 40_000), 25);
    let mut called = guest.accept(25).expect("a call");
    called.write_all(b"220 ready\r\n").expect("greeting");
    let mut greeting = [0; 11];
    caller.read_exact(&mut greeting).expect("the greeting");
    assert_eq!(&greeting, b"220 ready\r\n");
}

#[test]
fn names_are_true_both_ways() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    let ports = [1_u32, 1024, 65_535, 65_536, 4_000_000_000];
    for port in ports {
        let stream = guest.call_from(port, far(ECHO)).expect("calling");
        stream.wait_until_open().expect("open");
    }
    guest.run_until(|| scene.peers[0].calls().len() == ports.len()).expect("the peer hears of all calls");
    let from: Vec<_> = scene.peers[0].calls().iter().map(|names| names.from).collect();
    let name = |port: u32| if port < 65_536 { port as u16 } else { (1024 + port % 64_512) as u16 };
    assert_eq!(from, ports.map(|port| SocketAddrV4::new(pod(0), name(port))));
    assert!(scene.peers[0].calls().iter().all(|names| names.to == SocketAddrV4::new(common::FAR, ECHO)));

    guest.listen(8080);
    let names: Vec<SocketAddrV4> = (0..20).map(|n| SocketAddrV4::new(Ipv4Addr::new(192, 168, 7, n), 40_000)).collect();
    let callers: Vec<_> = names.iter().map(|from| scene.call_in(0, *from, 8080)).collect();
    let mut seen: Vec<_> = names.iter().map(|_| guest.accept(8080).expect("a call").peer()).collect();
    seen.sort_unstable();
    assert_eq!(seen, names.iter().map(|name| (*name).into()).collect::<Vec<_>>());
    let stats = scene.stats_when(0, |stats| stats["inbound"]["opened"] == 20);
    assert_eq!(stats["inboundPorts"]["8080"]["opened"], 20);
    drop(callers);
}

#[test]
fn nobody_there_is_said_at_once() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    scene.peers.clear();
    let mut times = Vec::new();
    for _ in 0..50 {
        let begin = Instant::now();
        assert_eq!(guest.connect(far(ECHO)).err().map(|error| error.kind()), Some(ErrorKind::ConnectionRefused));
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    assert!(times[25] < Duration::from_millis(1), "a refusal takes {:?}", times[25]);
    assert_eq!(scene.stats(0)["outbound"]["refused"], 50);

    // And into the guest: nobody listens on this port.
    let caller = scene.call_in(0, SocketAddrV4::new(Ipv4Addr::new(10, 10, 2, 20), 40_000), 81);
    let refused = std::thread::spawn(move || (&caller).read(&mut [0]).map_or(0, |count| count));
    guest.run_until(|| refused.is_finished()).expect("working");
    assert_eq!(refused.join().expect("no panic"), 0);
    assert_eq!(scene.stats_when(0, |stats| stats["inbound"]["refused"] == 1)["inbound"]["opened"], 0);
}

#[test]
fn a_far_side_that_does_not_read_stops_its_own_stream_alone() {
    let scene = Scene::new(1);
    let guest = scene.guest(0);
    let mut stuck: Vec<_> = (0..20).map(|_| guest.connect(far(STUCK)).expect("calling")).collect();
    let mut lively = guest.connect(far(ECHO)).expect("calling");
    for stream in &mut stuck {
        let (mut sent, mut tries) = (0, 0);
        // Room at the device, in the socket and at the far side is finite: a while after nothing more goes, it is full.
        while tries < 50 {
            let count = stream.try_write(payload::at(0, 65_536)).expect("sending");
            guest.run_for(Duration::from_millis(u64::from(count == 0))).expect("working");
            tries = if count == 0 { tries + 1 } else { 0 };
            sent += count;
            assert!(sent < 4 << 20, "{sent} bytes went into a stream that nobody reads");
        }
        round_trip(&mut lively, payload::at(0, 10_000)).expect("another stream goes on");
    }
    let begin = Instant::now();
    for _ in 0..200 {
        round_trip(&mut lively, b"and in time").expect("another stream goes on");
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "200 round trips beside 20 full streams: {:?}", begin.elapsed());
    // A guest that does not read stops its own stream alone, too.
    let unread: Vec<_> = (0..20).map(|_| guest.connect(far(CHARGEN)).expect("calling")).collect();
    guest.run_for(Duration::from_millis(200)).expect("working");
    let begin = Instant::now();
    for _ in 0..200 {
        round_trip(&mut lively, b"and in time").expect("another stream goes on");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "200 round trips beside 20 unread streams: {:?}",
        begin.elapsed()
    );
    drop((stuck, unread));
}

#[test]
fn five_hundred_at_once_each_get_their_own_bytes() {
    let scene = Scene::new(1);
    let guest = scene.guest(0);
    let mut streams: Vec<_> = (0..500).map(|_| guest.call(far(ECHO)).expect("calling")).collect();
    for stream in &streams {
        stream.wait_until_open().expect("open");
    }
    for round in 0..4 {
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.write_all(payload::at((number * 100 + round) as u64, 1500)).expect("sending");
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut answer = [0; 1500];
            stream.read_exact(&mut answer).expect("receiving");
            assert!(payload::matches((number * 100 + round) as u64, &answer), "stream {number} got another's bytes");
        }
    }
}

#[test]
fn ten_thousand_short_connections_leave_nothing_behind() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    round_trip(&mut guest.connect(far(ECHO)).expect("calling"), b"warm").expect("an echo");
    let (before, descriptors) = (scene.memory_kib(), scene.descriptors());
    for number in 0..10_000_u32 {
        let mut stream = guest.connect(far(ECHO)).unwrap_or_else(|error| panic!("connection {number}: {error}"));
        round_trip(&mut stream, &number.to_be_bytes()).unwrap_or_else(|error| panic!("connection {number}: {error}"));
    }
    guest.run_until(|| guest.streams() == 0).expect("every end was confirmed");
    let stats = scene.stats_when(0, |stats| stats["outbound"]["open"] == 0);
    assert_eq!(stats["outbound"]["opened"], 10_001);
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < 2048, "the device has grown by {grown} KiB");
    assert!(scene.descriptors() <= descriptors, "{} descriptors instead of {descriptors}", scene.descriptors());
}
