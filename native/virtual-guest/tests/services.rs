//! What lies beside the applications' streams: the sandbox's agent, TSI's own greeting, devices side by side.

mod common;

use common::{Scene, far, pod, round_trip};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use virtual_guest::peer::ECHO;
use virtual_guest::{Guest, payload};

/// Port of the sandbox's agent.
const AGENT: u32 = 66_560;
/// Port of TSI itself, at the device.
const HELLO: (u64, u32) = (2, 66_156);

/// The harness calls a port of the sandbox's own.
fn call_agent(scene: &Scene, guest: usize, line: &str) -> UnixStream {
    let mut stream = UnixStream::connect(scene.socket("hybrid", guest)).expect("the hybrid socket");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(line.as_bytes()).expect("the first line");
    stream
}

fn agent_round_trip(scene: &Scene, guest: &Guest) {
    guest.listen(AGENT);
    let mut harness = call_agent(scene, 0, "CONNECT 66560\nfirst words");
    let mut agent = guest.accept(AGENT).expect("a call");
    assert_eq!(agent.peer().cid, 2, "the harness calls as the host");
    let mut words = [0; 11];
    agent.read_exact(&mut words).expect("bytes behind the line are the stream's");
    assert_eq!(&words, b"first words");
    agent.write_all(payload::at(0, 100_000)).expect("answering");
    let mut answer = vec![0; 9 + 100_000];
    let reader = std::thread::spawn(move || harness.read_exact(&mut answer).map(|()| answer));
    guest.run_until(|| reader.is_finished()).expect("working");
    let answer = reader.join().expect("no panic").expect("the answer");
    assert_eq!(&answer[..9], b"OK 66560\n");
    assert!(payload::matches(0, &answer[9..]));
}

#[test]
fn agent_and_tsi_share_a_device() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    agent_round_trip(&scene, &guest);
    round_trip(&mut guest.connect(far(ECHO)).expect("calling"), b"beside it").expect("an echo");
    let stats = scene.stats(0);
    assert_eq!((&stats["agent"]["opened"], &stats["outbound"]["opened"]), (&1.into(), &1.into()));
    assert_eq!((&stats["agent"]["bytesToGuest"], &stats["agent"]["bytesFromGuest"]), (&11.into(), &100_000.into()));
}

#[test]
fn agent_and_tsi_on_a_device_each() {
    let mut scene = Scene::side_by_side();
    let (agent, applications) = (scene.guest(0), scene.guest_at("vhost-tsi", 0));
    assert_eq!(agent.cid(), applications.cid());
    agent_round_trip(&scene, &agent);
    round_trip(&mut applications.connect(far(ECHO)).expect("calling"), b"beside it").expect("an echo");
    // A stream for a service that this device does not carry is reset.
    let refused = agent.connect(far(ECHO)).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    // One device goes; the other goes on.
    let mut stream = applications.connect(far(ECHO)).expect("calling");
    drop(agent);
    scene.stats_when(0, |stats| stats["agent"]["open"] == 0);
    round_trip(&mut stream, b"still here").expect("an echo");
}

#[test]
fn the_device_says_that_it_speaks_tsi() {
    let scene = Scene::new(1);
    let guest = scene.guest(0);
    for (line, answer) in [("TSI/1\n", "TSI/1 10.10.1.10\n"), ("TSI/2\n", "TSI/1 unsupported\n")] {
        let mut stream = guest.connect(HELLO).expect("calling");
        stream.write_all(line.as_bytes()).expect("asking");
        let mut said = vec![0; answer.len()];
        stream.read_exact(&mut said).expect("an answer");
        assert_eq!(said, answer.as_bytes());
    }
}

#[test]
fn callers_that_say_something_else_are_turned_away() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    for line in ["CONNECT 80\n", "CONNECT 65535\n", "CONNECT \n", "CONNECT 4294967296\n", "GET / HTTP/1.1\r\n\r\n"] {
        let mut harness = call_agent(&scene, 0, line);
        let mut said = Vec::new();
        let outcome = harness.read_to_end(&mut said);
        let turned_away = outcome.is_ok() || outcome.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(turned_away && said.is_empty(), "{line:?} was answered by {said:?}");
    }
    // A pod's door takes calls for this pod alone.
    let mut stream = UnixStream::connect(scene.socket("in", 0)).expect("inbound");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let names = virtual_guest::peer::Names {
        from: "10.10.2.20:40000".parse().expect("an address"),
        to: std::net::SocketAddrV4::new(pod(7), 80),
    };
    guest.listen(80);
    stream.write_all(&virtual_guest::proxy_header(names)).expect("a header");
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(scene.stats(0)["inbound"]["opened"], 0);
}

#[test]
fn guests_at_once_do_not_mix() {
    let mut scene = Scene::new(4);
    let sockets: Vec<_> = (0..4).map(|guest| scene.socket("vhost", guest)).collect();
    let guests: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| {
            std::thread::spawn(move || {
                let guest = Guest::attach(socket).expect("attaching");
                for round in 0..200 {
                    let mut stream = guest.call_from(1024, far(ECHO)).expect("the same names in every guest");
                    stream.wait_until_open().expect("open");
                    round_trip(&mut stream, payload::at((number * 7919 + round) as u64, 3000)).expect("its own bytes");
                    drop(stream);
                    guest.run_until(|| guest.streams() == 0).expect("the end is confirmed");
                }
            })
        })
        .collect();
    for guest in guests {
        guest.join().expect("its own bytes");
    }
    for number in 0..4 {
        assert_eq!(scene.peers[number].calls().len(), 200);
        assert!(scene.peers[number].calls().iter().all(|names| *names.from.ip() == pod(number)));
        let stats = scene.stats(number);
        assert_eq!(stats["outbound"]["bytesFromGuest"], 200 * 3000);
    }
}
