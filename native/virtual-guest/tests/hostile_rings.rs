//! A guest that breaks its rings: the device closes itself on this guest, says why, and serves the next one and all others.

mod common;

use common::neighbour::Neighbour;
use common::{Scene, far, round_trip};
use std::io::Write;
use std::time::Duration;
use virtual_guest::memory::BASE;
use virtual_guest::peer::{CHARGEN, DISCARD, ECHO};
use virtual_guest::ring::{Descriptor, INDIRECT, NEXT, WRITE};
use virtual_guest::{Address, Guest, Header, Op, Options, Queue, packet};

/// KiB by which a device may grow on a hostile guest.
const GROWTH_KIB: u64 = 4096;

/// Lets a guest attack beside an honest one. Afterwards the neighbour was served in time, the device has not grown, and
/// the next guest of the same device is served. `because` is part of what the statistics say, `None` if the guest is to
/// be borne.
fn attack(options: Options, because: Option<&str>, attack: impl FnOnce(&Guest)) {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.memory_kib();
    let guest = scene.guest_with(0, options);
    attack(&guest);
    if let Some(because) = because {
        guest.wait_for_the_end().expect("the device closes itself on the guest");
        let stats = scene.stats_when(0, |stats| stats["closed"].is_string());
        let closed = stats["closed"].as_str().expect("a reason");
        assert!(closed.contains(because), "closed because of «{closed}», not «{because}»");
        assert_eq!(stats["connected"], false);
    } else {
        neighbour.wait_for(50);
        let stats = scene.stats(0);
        assert!(stats["closed"].is_null() && stats["connected"] == true, "{stats}");
    }
    let grown = scene.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the device has grown by {grown} KiB");
    drop(guest);
    let _gone = scene.stats_when(0, |stats| stats["connected"] == false);
    let next = scene.guest(0);
    round_trip(&mut next.connect(far(ECHO)).expect("the next guest calls"), b"next").expect("and is answered");
    neighbour.finish();
}

/// A call, as a good guest makes it.
fn request(guest: &Guest) -> Header {
    let near = Address::new(guest.cid(), 5000);
    Header { buf_alloc: 262_144, ..Header::new(near, far(ECHO), Op::Request) }
}

/// Writes a header to the spare memory and makes this chain of it available; its address is put where it is 0.
fn send_chain(guest: &Guest, header: &Header, chain: &[Descriptor]) {
    guest.memory().write(guest.spare_at(), &header.encode());
    let here = guest.memory().guest_address(guest.spare_at());
    guest.with_ring(Queue::Send, |ring| {
        for (index, descriptor) in chain.iter().enumerate() {
            let address = if descriptor.address == 0 { here } else { descriptor.address };
            ring.describe(index as u16, Descriptor { address, ..*descriptor });
        }
        ring.push(0);
        ring.publish();
        ring.ring();
    });
}

fn header_only(flags: u16, next: u16) -> Descriptor {
    Descriptor { address: 0, length: packet::HEADER as u32, flags, next }
}

#[test]
fn descriptors_outside_memory() {
    let end = |guest: &Guest| BASE + guest.memory().size() as u64;
    let places: [fn(u64) -> (u64, u32); 5] =
        [|_| (8, 64), |end| (end, 64), |end| (end - 10, 64), |_| (u64::MAX - 3, 64), |_| (BASE, u32::MAX)];
    for place in places {
        attack(Options::default(), Some("ring 1"), |guest| {
            let (address, length) = place(end(guest));
            send_chain(guest, &request(guest), &[Descriptor { address, length, flags: 0, next: 0 }]);
        });
    }
    attack(Options::default(), Some("ring 1"), |guest| {
        let data = Header { op: Op::Data as u16, length: 100, ..request(guest) };
        let body = Descriptor { address: end(guest) - 50, length: 100, flags: 0, next: 0 };
        send_chain(guest, &data, &[header_only(NEXT, 1), body]);
    });
}

#[test]
fn receive_buffers_outside_memory() {
    attack(Options { receives: false, ..Options::default() }, Some("ring 0"), |guest| {
        guest.with_ring(Queue::Receive, |ring| {
            ring.describe(0, Descriptor { address: 0x1000, length: 4096, flags: WRITE, next: 0 });
            ring.push(0);
            ring.publish();
            ring.ring();
        });
        guest.send_packet(&request(guest), &[]).expect("sending");
    });
}

#[test]
fn chains_that_loop() {
    attack(Options::default(), Some("ring 1"), |guest| {
        send_chain(guest, &request(guest), &[header_only(NEXT, 0)]);
    });
    attack(Options::default(), Some("ring 1"), |guest| {
        send_chain(guest, &request(guest), &[header_only(NEXT, 1), header_only(NEXT, 0)]);
    });
    attack(Options::default(), Some("ring 1"), |guest| {
        send_chain(guest, &request(guest), &[header_only(NEXT, 40_000)]);
    });
    attack(Options::default(), Some("ring 1"), |guest| {
        let chain: Vec<_> = (0..256).map(|index| header_only(if index < 255 { NEXT } else { 0 }, index + 1)).collect();
        send_chain(guest, &request(guest), &chain);
    });
}

#[test]
fn heads_and_indices_out_of_range() {
    attack(Options::default(), Some("ring 1"), |guest| {
        guest.with_ring(Queue::Send, |ring| {
            ring.push(40_000);
            ring.publish();
            ring.ring();
        });
    });
    for jump in [257, 1000, 32_768, 65_535] {
        attack(Options::default(), Some("ring 1"), |guest| {
            guest.with_ring(Queue::Send, |ring| {
                ring.jump(jump);
                ring.ring();
            });
        });
    }
}

#[test]
fn descriptors_for_the_other_direction() {
    attack(Options::default(), Some("other direction"), |guest| {
        send_chain(guest, &request(guest), &[header_only(WRITE, 0)]);
    });
    attack(Options { receives: false, ..Options::default() }, Some("ring 0"), |guest| {
        let address = guest.memory().guest_address(guest.spare_at());
        guest.with_ring(Queue::Receive, |ring| {
            ring.describe(0, Descriptor { address, length: 4096, flags: 0, next: 0 });
            ring.push(0);
            ring.publish();
            ring.ring();
        });
        guest.send_packet(&request(guest), &[]).expect("sending");
    });
}

/// Makes an indirect chain available whose table lies in the spare memory.
fn send_indirect(guest: &Guest, table: &[Descriptor], length: u32) {
    let table_at = guest.spare_at() + 4096;
    for (index, descriptor) in table.iter().enumerate() {
        guest.memory().write(table_at + index * Descriptor::SIZE, &descriptor.encode());
    }
    let address = guest.memory().guest_address(table_at);
    send_chain(guest, &request(guest), &[Descriptor { address, length, flags: INDIRECT, next: 0 }]);
}

#[test]
fn indirect_tables() {
    let options = Options { indirect: true, ..Options::default() };
    let size = Descriptor::SIZE as u32;
    let header_in = |guest: &Guest, flags: u16, next: u16| Descriptor {
        address: guest.memory().guest_address(guest.spare_at()),
        ..header_only(flags, next)
    };
    attack(options, Some("ring 1"), |guest| {
        send_indirect(guest, &[header_in(guest, NEXT, 0)], size);
    });
    attack(options, Some("ring 1"), |guest| {
        send_indirect(guest, &[header_in(guest, NEXT, 9)], size);
    });
    attack(options, Some("ring 1"), |guest| {
        let itself = guest.memory().guest_address(guest.spare_at() + 4096);
        send_indirect(guest, &[Descriptor { address: itself, length: size, flags: INDIRECT, next: 0 }], size);
    });
    for length in [0, 7, size + 1, u32::MAX, size * 70_000] {
        attack(options, Some("ring 1"), |guest| send_indirect(guest, &[header_in(guest, 0, 0)], length));
    }
    attack(options, Some("ring 1"), |guest| {
        let table = Descriptor { address: 0x10, length: size, flags: INDIRECT, next: 0 };
        send_chain(guest, &request(guest), &[table]);
    });
}

#[test]
fn lengths_of_zero_and_headers_that_are_too_short() {
    // A packet that is none is dropped: it harms nobody.
    for length in [0, 1, 43] {
        attack(Options::default(), None, |guest| {
            send_chain(guest, &request(guest), &[Descriptor { length, ..header_only(0, 0) }]);
        });
    }
    attack(Options { receives: false, ..Options::default() }, Some("ring 0"), |guest| {
        let address = guest.memory().guest_address(guest.spare_at());
        guest.with_ring(Queue::Receive, |ring| {
            ring.describe(0, Descriptor { address, length: 20, flags: WRITE, next: 0 });
            ring.push(0);
            ring.publish();
            ring.ring();
        });
        guest.send_packet(&request(guest), &[]).expect("sending");
    });
}

#[test]
fn a_header_in_crumbs_is_a_header() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    let here = guest.memory().guest_address(guest.spare_at());
    let crumbs: Vec<_> = (0..44)
        .map(|at| Descriptor {
            address: here + at,
            length: 1,
            flags: if at < 43 { NEXT } else { 0 },
            next: at as u16 + 1,
        })
        .collect();
    send_chain(&guest, &request(&guest), &crumbs);
    let stats = scene.stats_when(0, |stats| stats["packetsFromGuest"] == 1);
    assert_eq!(stats["outbound"]["opened"], 1);
}

#[test]
fn a_guest_that_gives_no_buffers() {
    attack(Options { receives: false, patience: Duration::from_millis(500), ..Options::default() }, None, |guest| {
        for port in 2000..4000 {
            for service in [CHARGEN, ECHO, DISCARD] {
                let near = Address::new(guest.cid(), port * 3 + u32::from(service % 3));
                let header = Header { buf_alloc: 1 << 20, ..Header::new(near, far(service), Op::Request) };
                guest.send_packet(&header, &[]).expect("the device takes packets");
            }
        }
    });
}

#[test]
fn a_guest_that_dies_in_the_middle() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let descriptors = scene.descriptors();
    for round in 0..30 {
        let guest = scene.guest(0);
        let mut streams: Vec<_> =
            [ECHO, CHARGEN, DISCARD].iter().map(|port| guest.connect(far(*port)).expect("calling")).collect();
        for stream in &mut streams {
            stream.write_all(&vec![7; 3000 * round]).expect("sending");
        }
        // It goes at once; streams are not closed.
        guest.vanish().expect("going");
        scene.stats_when(0, |stats| stats["connected"] == false);
    }
    let stats = scene.stats_when(0, |stats| stats["outbound"]["open"] == 0);
    assert_eq!(stats["outbound"]["opened"], 90);
    assert_eq!(scene.gone.iter().filter(|(guest, _)| guest == "guest-0").count(), 30);
    assert!(scene.descriptors() <= descriptors, "{} descriptors instead of {descriptors}", scene.descriptors());
    neighbour.finish();
}
