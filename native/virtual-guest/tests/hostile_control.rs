//! A front end that breaks vhost-user: it is sent away with a reason, and the process lives on for all others.

mod common;

use common::control::{self, Control, attack, counter, many, memory, regions};
use common::neighbour::Neighbour;
use common::{Scene, far, round_trip};
use rustix::fd::AsFd;
use std::io::Write;
use std::time::Duration;
use virtual_guest::peer::ECHO;

#[test]
fn messages_that_are_none() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    for request in [0, 6, 7, 23, 41, 1000, u32::MAX] {
        attack(&mut scene, Some(&format!("request {request}")), |control| {
            control.say(request, &[], &[]).expect("sending");
        });
    }
    for length in [4097, 1 << 20, u32::MAX, u32::MAX - 11] {
        attack(&mut scene, Some("too long"), |control| {
            control.say_raw([control::SET_FEATURES, 1, length], &[0; 8], &[]).expect("sending");
        });
    }
    for request in [control::SET_FEATURES, control::SET_MEM_TABLE, control::SET_VRING_ADDR, control::GET_CONFIG] {
        for length in [0, 1, 3] {
            attack(&mut scene, Some(&format!("request {request}")), |control| {
                control.say(request, &vec![0xff; length], &[]).expect("sending");
            });
        }
    }
    // Half a header, half a body, then nothing more: borne until the front end goes.
    for cut in [1, 11, 12, 15] {
        attack(&mut scene, None, |control| {
            let whole: Vec<u8> = [2_u32, 1, 8, 7, 7].iter().flat_map(|word| word.to_ne_bytes()).collect();
            control.socket.write_all(&whole[..cut]).expect("sending");
            neighbour.wait_for(20);
        });
    }
    neighbour.finish();
}

#[test]
fn descriptors_that_are_missing_too_many_or_something_else() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let before = scene.descriptors();
    let (file, null) = (memory(1 << 20, false), std::fs::File::open("/dev/null").expect("/dev/null"));
    let region = [[0, 4096, 0, 0]];
    let table = regions(&region);
    for (list, what) in [(many(&file, 0), "none"), (many(&file, 2), "two"), (many(&null, 1), "no memory")] {
        attack(&mut scene, Some("request 5"), |control| {
            control.introduce();
            control.say(control::SET_MEM_TABLE, &table, &list).unwrap_or_else(|error| panic!("{what}: {error}"));
        });
    }
    attack(&mut scene, None, |control| {
        // Descriptors with messages that have none, again and again.
        for _ in 0..200 {
            let _sent = control.say(control::SET_OWNER, &[], &many(&file, 30));
        }
    });
    attack(&mut scene, None, |control| {
        // One byte at a time of a message that never ends, each with descriptors.
        for _ in 0..100 {
            let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(30))];
            let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
            let list = many(&file, 30);
            assert!(ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&list)));
            let byte = [std::io::IoSlice::new(&[5])];
            let flags = rustix::net::SendFlags::NOSIGNAL;
            let _sent = rustix::net::sendmsg(&control.socket, &byte, &mut ancillary, flags);
        }
        neighbour.wait_for(20);
    });
    for request in [control::SET_VRING_KICK, control::SET_VRING_CALL] {
        attack(&mut scene, None, |control| {
            control.introduce();
            for ring in [0_u64, 1, 2] {
                let _sent = control.say(request, &ring.to_ne_bytes(), &[null.as_fd()]);
            }
            neighbour.wait_for(20);
        });
        attack(&mut scene, Some(&format!("request {request}")), |control| {
            control.introduce();
            control.say(request, &7_u64.to_ne_bytes(), &[counter().as_fd()]).expect("sending");
        });
    }
    neighbour.finish();
    let left = scene.stats_when(1, |stats| stats["connected"] == false);
    assert!(left["closed"].is_null());
    // The neighbour's own have gone meanwhile.
    assert!(scene.descriptors() <= before, "{} descriptors instead of {before}", scene.descriptors());
}

#[test]
fn features_that_were_not_offered() {
    let mut scene = Scene::new(1);
    for features in [u64::MAX, 1 << 34, 1 << 40] {
        attack(&mut scene, Some("not offered"), |control| {
            control.say(control::SET_FEATURES, &features.to_ne_bytes(), &[]).expect("sending");
        });
    }
    let guest = scene.guest(0);
    round_trip(&mut guest.connect(far(ECHO)).expect("calling"), b"served").expect("an echo");
}

#[test]
fn answers_that_are_never_read() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    attack(&mut scene, None, |control| {
        control.socket.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        for _ in 0..100_000 {
            if control.say(control::GET_FEATURES, &[], &[]).is_err() {
                break;
            }
        }
        neighbour.wait_for(20);
    });
    neighbour.finish();
}

#[test]
fn a_second_front_end_does_not_disturb_the_first() {
    let mut scene = Scene::new(1);
    let guest = scene.guest(0);
    let mut stream = guest.connect(far(ECHO)).expect("calling");
    for _ in 0..50 {
        let mut second = Control::connect(&scene.socket("vhost", 0));
        assert!(second.ends(), "a second front end is sent away");
        round_trip(&mut stream, b"undisturbed").expect("the first one's stream");
    }
    assert!(scene.stats(0)["closed"].is_null());
}
