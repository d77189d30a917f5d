//! A front end that says anything, with any descriptors.
#![no_main]

use fuzz::bench::{Bench, send};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::os::unix::net::UnixStream;
use vsock_tsi::control::channel::Channel;
use vsock_tsi::control::session::Session;

#[derive(Debug, Arbitrary)]
enum Descriptor {
    Memory(u16),
    Counter,
    Pipe,
}

#[derive(Debug, Arbitrary)]
struct Said {
    request: u8,
    other_request: Option<u32>,
    flags: Option<u32>,
    length: Option<u32>,
    words: Vec<u32>,
    descriptors: Vec<Descriptor>,
}

fn open(descriptor: &Descriptor) -> OwnedFd {
    match descriptor {
        Descriptor::Memory(pages) => {
            let file = memfd_create("guest", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("memfd");
            ftruncate(&file, u64::from(pages % 64) * 4096).expect("ftruncate");
            file
        }
        Descriptor::Counter => rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).expect("eventfd"),
        Descriptor::Pipe => UnixStream::pair().expect("a pair of sockets").0.into(),
    }
}

fuzz_target!(|said: Vec<Said>| {
    let (near, front_end) = UnixStream::pair().expect("a pair of sockets");
    near.set_nonblocking(true).expect("fcntl");
    front_end.set_nonblocking(true).expect("fcntl");
    let mut session = Session::new(Channel::new(near.into()), 3);
    for message in said.iter().take(16) {
        let body: Vec<u8> = message.words.iter().take(300).flat_map(|word| word.to_ne_bytes()).collect();
        let request = message.other_request.unwrap_or(u32::from(message.request % 40));
        let header = [request, message.flags.unwrap_or(1), message.length.unwrap_or(body.len() as u32)];
        let opened: Vec<_> = message.descriptors.iter().take(6).map(open).collect();
        send(&front_end, header, &body, &opened.iter().map(AsFd::as_fd).collect::<Vec<_>>());
        loop {
            match session.converse() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        let _read = rustix::io::read(&front_end, &mut [0; 4096]);
    }
    // The rings that it has set up are looked at.
    let mut bench = Bench::with(session, &[]);
    let _closed = bench.run();
    bench.end();
});
