//! Servers that refuse, die or answer nonsense: said, counted, never hung on.

mod common;

use common::{Echo, Ports, fire};
use load::LoadError;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_refused_connect_is_one_error_event_and_exit_1() {
    for test in ["capacity", "crr"] {
        let output = Command::new(env!("CARGO_BIN_EXE_dpb-load"))
            .args(["--target", "127.0.0.1", "--http-port", &nobody().port().to_string(), "--test", test])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.lines().last().unwrap().contains(r#""code":"connect-refused""#), "{said}");
    }
}

#[test]
fn a_server_that_dies_ends_the_firing_within_a_second() {
    for test in ["latency --rate 500", "capacity", "crr"] {
        let echo = Echo::start("");
        let at = echo.at;
        let fired = format!("--test {test} --connections 4 --warmup 0 --duration 30");
        let firing = std::thread::spawn(move || fire(at, &fired));
        // Not a wait for readiness: how long it lives.
        std::thread::sleep(Duration::from_millis(300));
        drop(echo);
        let died = Instant::now();
        let outcome = firing.join().unwrap().unwrap();
        assert!(died.elapsed() < Duration::from_secs(1), "{test}: {:?}", died.elapsed());
        assert!(outcome.done > 0 && !outcome.errors.is_empty(), "{test}: {outcome:?}");
        assert!(outcome.wall_seconds < 2.0, "{test}");
    }
}

/// A server that answers every request with the same bytes, then closes if told to.
fn fixed_answer(answer: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|length| length > 0) {
                    if stream.write_all(answer).is_err() || closes {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn wrong_answers_are_counted_by_kind_and_kept_out_of_the_histograms() {
    for (answer, closes, kind) in [
        (&b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nnope"[..], false, "status-503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nxxxx", false, "wrong-bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ndpb", false, "wrong-length"),
        (b"nonsense\r\n\r\n", false, "malformed"),
        (b"", true, "closed"),
    ] {
        let address = fixed_answer(answer, closes);
        for test in ["capacity", "latency --rate 200", "crr"] {
            let fired = format!("--test {test} --payload 4 --warmup 0 --duration 0.1");
            let outcome = fire(Ports { http: address, tcp: address }, &fired).unwrap();
            assert_eq!(outcome.done, 0, "{kind} {test}");
            assert_eq!(outcome.latency_hdr, None, "{kind} {test}");
            assert!(outcome.errors.get(kind).is_some_and(|&count| count > 0), "{kind} {test}: {:?}", outcome.errors);
        }
    }
}

#[test]
fn a_server_that_closes_kept_connections_is_counted_and_served_on() {
    let address = fixed_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndpb!", true);
    let outcome =
        fire(Ports { http: address, tcp: address }, "--test capacity --payload 4 --warmup 0 --duration 0.2").unwrap();
    assert!(outcome.done > 3, "{outcome:?}");
    let lost: u64 = ["closed", "reset"].iter().filter_map(|kind| outcome.errors.get(*kind)).sum();
    assert!(lost > 3, "{:?}", outcome.errors);
    assert!(outcome.traffic.connections > 3);
}

#[test]
fn sigterm_brings_what_there_is() {
    let echo = Echo::start("");
    for test in [&["latency", "--rate", "100"][..], &["capacity"], &["stream-down", "--protocol", "tcp"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dpb-load"))
            .args(["--target", "127.0.0.1", "--http-port", &echo.at.http.port().to_string()])
            .args(["--tcp-port", &echo.at.tcp.port().to_string(), "--warmup", "0.1", "--duration", "30", "--test"])
            .args(test)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let measuring = lines.by_ref().any(|line| line.unwrap().contains("measuring"));
        assert!(measuring);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let told = Instant::now();
        let last = lines.last().unwrap().unwrap();
        assert!(last.contains(r#""event":"result""#) && last.contains(r#""interrupted":true"#), "{last}");
        assert!(told.elapsed() < Duration::from_millis(500), "{:?}", told.elapsed());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn bad_options_exit_2() {
    let error = fire(Ports { http: nobody(), tcp: nobody() }, "--test stream-up").unwrap_err();
    assert!(matches!(error, LoadError::Usage(_)));
}
