//! The server over real sockets: exact bytes at every size, half close, and bounded memory before a peer that does not
//! read.

use clap::Parser;
use echo::options::Options;
use echo::server::{Control, Server};
use std::io::{ErrorKind, PipeWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use wire::http::{build_request, parse_answer};
use wire::pattern;
use wire::preamble::Operation;

/// Starts a server; it stops when the pipe is dropped.
fn start() -> (SocketAddr, SocketAddr, PipeWriter) {
    let options = Options::parse_from(["dpb-echo", "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"]);
    let mut server = Server::bind(&options).unwrap();
    let (http, tcp) = server.addresses().unwrap();
    let (watched, stop) = std::io::pipe().unwrap();
    std::thread::spawn(move || server.run(watched, |_| Control::Stop).unwrap());
    (http, tcp, stop)
}

/// Writes on a thread of its own, so that neither side waits for the other.
fn write_beside(stream: &TcpStream, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    std::thread::spawn(move || stream.write_all(&bytes).unwrap())
}

/// Bytes that do not repeat, so that a lost or doubled piece is seen.
fn unlike_bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

const SIZES: [usize; 8] = [1, 3, 64, 1_460, 20_000, 65_536, 300_001, 1 << 20];

#[test]
fn raw_echo_is_exact_at_every_size_and_ends_with_the_half_close() {
    let (_, tcp, _stop) = start();
    for size in SIZES {
        for times in [1, 16] {
            let mut stream = TcpStream::connect(tcp).unwrap();
            let payload = unlike_bytes(size * times);
            let writer = write_beside(&stream, [&Operation::Echo.encode()[..], &payload].concat());
            let mut back = vec![0; size * times];
            stream.read_exact(&mut back).unwrap();
            writer.join().unwrap();
            assert!(back == payload, "{times} times {size} bytes came back changed");
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(stream.read(&mut back).unwrap(), 0);
        }
    }
}

#[test]
fn half_close_before_reading_loses_nothing() {
    let (_, tcp, _stop) = start();
    let mut stream = TcpStream::connect(tcp).unwrap();
    let payload = unlike_bytes(2 << 20);
    let writer = {
        let (near, bytes) = (stream.try_clone().unwrap(), payload.clone());
        std::thread::spawn(move || {
            (&near).write_all(&Operation::Echo.encode()).unwrap();
            (&near).write_all(&bytes).unwrap();
            near.shutdown(Shutdown::Write).unwrap();
        })
    };
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    assert!(back == payload);
}

#[test]
fn http_bodies_of_every_size_come_back_on_one_connection() {
    let (http, _, _stop) = start();
    let mut stream = TcpStream::connect(http).unwrap();
    for size in SIZES.into_iter().chain([16 << 20]) {
        let writer = write_beside(&stream, build_request("test", size, false));
        let mut back = Vec::new();
        let mut part = vec![0; 1 << 16];
        let answer = loop {
            let length = stream.read(&mut part).unwrap();
            back.extend_from_slice(&part[..length]);
            if let Some(answer) = parse_answer(&back).unwrap() {
                break answer;
            }
        };
        assert_eq!((answer.status, answer.body_len), (200, Some(size)));
        back.drain(..answer.head_len);
        let begun = back.len();
        back.resize(size, 0);
        stream.read_exact(&mut back[begun..]).unwrap();
        writer.join().unwrap();
        assert!(pattern::matches(&back, 0), "{size} bytes came back changed");
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    let (_, tcp, _stop) = start();
    let mut stream = TcpStream::connect(tcp).unwrap();
    stream.write_all(&Operation::Echo.encode()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let block = vec![b'x'; 1 << 20];
    let mut taken = 0_usize;
    // Socket buffers of both sides and the server's own bound take some megabytes, never all of this.
    while taken < 256 << 20 {
        match stream.write(&block) {
            Ok(length) => taken += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(taken < 64 << 20, "{taken} bytes were taken from a peer that reads nothing");
    let mut back = vec![0; taken];
    stream.read_exact(&mut back).unwrap();
    assert!(back.iter().all(|&byte| byte == b'x'));
}

#[test]
fn uploads_are_counted_and_downloads_are_payload() {
    let (_, tcp, _stop) = start();
    let mut up = TcpStream::connect(tcp).unwrap();
    up.write_all(&[&Operation::Upload.encode()[..], &vec![0; 200_000]].concat()).unwrap();
    up.shutdown(Shutdown::Write).unwrap();
    let mut totals = Vec::new();
    up.read_to_end(&mut totals).unwrap();
    assert_eq!(totals.last_chunk(), Some(&200_000_u64.to_be_bytes()));

    let mut down = TcpStream::connect(tcp).unwrap();
    down.write_all(&Operation::Download.encode()).unwrap();
    let mut payload = vec![0; 1 << 20];
    down.read_exact(&mut payload).unwrap();
    assert!(pattern::matches(&payload, 0));
}
