//! A front end that breaks vhost-user: it is sent away with a reason, and the process lives on for all others.

mod common;

use common::control::{self, Control, addresses, counter, many, memory, pair, regions};
use common::neighbour::Neighbour;
use common::{Scene, far, round_trip};
use rustix::fd::AsFd;
use rustix::fs::ftruncate;
use std::io::Write;
use std::time::Duration;
use virtual_guest::peer::ECHO;

/// Lets a front end say something, and looks afterwards whether all others are served. Each part of `because` that
/// is given must be in the reason of the closing; none if the device may bear it.
fn attack(scene: &mut Scene, because: Option<&str>, attack: impl FnOnce(&mut Control)) {
    let mut control = Control::connect(&scene.socket("vhost", 0));
    attack(&mut control);
    if let Some(because) = because {
        assert!(control.ends(), "the device goes on to listen to a front end that broke the rules ({because})");
        let stats = scene.stats_when(0, |stats| stats["connected"] == false);
        let closed = stats["closed"].as_str().unwrap_or_default();
        assert!(closed.contains(because), "closed because of «{closed}», not «{because}»");
    }
    drop(control);
    scene.stats_when(0, |stats| stats["connected"] == false);
}

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
fn memory_that_is_not_there() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let page = 4096;
    let lies: [&[[u64; 4]]; 9] = [
        &[[0, 1 << 30, 0, 0]],
        &[[0, 1 << 62, 0, 0]],
        &[[0, page, 0, 1 << 20]],
        &[[0, page, 0, u64::MAX - 4095]],
        &[[u64::MAX - 100, page, 0, 0]],
        &[[0, page, u64::MAX - 100, 0]],
        &[[0, 0, 0, 0]],
        &[[0, page, 0, 7]],
        &[[0, 2 * page, 0, 0], [page, 2 * page, 1 << 20, 0]],
    ];
    for lie in lies {
        attack(&mut scene, Some("request 5"), |control| {
            let file = memory(1 << 20, false);
            control.introduce();
            control.say(control::SET_MEM_TABLE, &regions(lie), &many(&file, lie.len())).expect("sending");
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
fn rings_that_cannot_be() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    for size in [0, 3, 100, 2048, 65_535, 65_536, 1 << 31] {
        attack(&mut scene, Some("ring 0"), |control| {
            control.introduce();
            control.say(control::SET_VRING_NUM, &pair(0, size), &[]).expect("sending");
        });
    }
    for ring in [3, 255, u32::MAX] {
        for request in [control::SET_VRING_NUM, control::SET_VRING_ENABLE, control::GET_VRING_BASE] {
            attack(&mut scene, Some("no ring"), |control| {
                control.introduce();
                control.say(request, &pair(ring, 1), &[]).expect("sending");
            });
        }
    }
    let user = 0x7000_0000_u64;
    let outside =
        [(0, user, user), (user, user + (1 << 20) - 8, user), (user, user, u64::MAX - 2), (user + 1, user, user)];
    for (table, used, available) in outside {
        attack(&mut scene, Some("ring"), |control| {
            control.introduce();
            start_rings(control, [table, used, available]);
        });
    }
    neighbour.finish();
}

/// Shares 1 MiB at 0x7000_0000 and starts all rings at these places.
fn start_rings(control: &Control, [table, used, available]: [u64; 3]) {
    let file = memory(1 << 20, false);
    let region = regions(&[[0, 1 << 20, 0x7000_0000, 0]]);
    // The device may have closed itself at an earlier step.
    let _sent = control.say(control::SET_MEM_TABLE, &region, &[file.as_fd()]);
    for ring in 0..3 {
        let _sent = control.say(control::SET_VRING_NUM, &pair(ring, 256), &[]);
        let _sent = control.say(control::SET_VRING_ADDR, &addresses(ring, table, used, available), &[]);
        let _sent = control.say(control::SET_VRING_CALL, &u64::from(ring).to_ne_bytes(), &[counter().as_fd()]);
        let _sent = control.say(control::SET_VRING_KICK, &u64::from(ring).to_ne_bytes(), &[counter().as_fd()]);
        let _sent = control.say(control::SET_VRING_ENABLE, &pair(ring, 1), &[]);
    }
}

#[test]
fn rings_that_lie_on_each_other_or_change_while_they_run() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    let user = 0x7000_0000;
    attack(&mut scene, None, |control| {
        control.introduce();
        start_rings(control, [user, user, user]);
        neighbour.wait_for(20);
    });
    attack(&mut scene, None, |control| {
        control.introduce();
        for round in 0..100 {
            start_rings(control, [user, user + 0x4000, user + 0x8000 + round * 16]);
            let _sent = control.say(control::SET_VRING_BASE, &pair(1, round as u32 * 600), &[]);
        }
        neighbour.wait_for(20);
    });
    neighbour.finish();
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
fn an_interrupt_that_blocks_and_a_kick_that_never_stops() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    // The guest's interrupt is a full counter, made blocking again behind the device's back.
    let call = counter();
    rustix::io::write(&call, &(u64::MAX - 1).to_ne_bytes()).expect("a full counter");
    let guest = scene.guest(0);
    drop(guest);
    attack(&mut scene, None, |control| {
        control.introduce();
        let user = 0x7000_0000_u64;
        let file = memory(1 << 20, false);
        control.say(control::SET_MEM_TABLE, &regions(&[[0, 1 << 20, user, 0]]), &[file.as_fd()]).expect("memory");
        let kick = counter();
        for ring in 0..3_u32 {
            control.say(control::SET_VRING_NUM, &pair(ring, 256), &[]).expect("size");
            let at = user + u64::from(ring) * 0x4000;
            control.say(control::SET_VRING_ADDR, &addresses(ring, at, at + 0x2000, at + 0x1000), &[]).expect("places");
            control.say(control::SET_VRING_CALL, &u64::from(ring).to_ne_bytes(), &[call.as_fd()]).expect("call");
            control.say(control::SET_VRING_KICK, &u64::from(ring).to_ne_bytes(), &[kick.as_fd()]).expect("kick");
            control.ask(control::SET_VRING_ENABLE, &pair(ring, 1), &[]).expect("enable");
        }
        let flags = rustix::fs::fcntl_getfl(&call).expect("flags") - rustix::fs::OFlags::NONBLOCK;
        rustix::fs::fcntl_setfl(&call, flags).expect("blocking again");
        // A chain of nothing in ring 1, which the device gives back, and then wants to interrupt for.
        for index in 1..=40_u16 {
            rustix::io::pwrite(&file, &index.to_le_bytes(), 0x4000 + 0x1000 + 2).expect("the available index");
            rustix::io::write(&kick, &1_u64.to_ne_bytes()).expect("kicking");
            std::thread::sleep(Duration::from_millis(2));
        }
        for _ in 0..20_000 {
            rustix::io::write(&kick, &1_u64.to_ne_bytes()).expect("kicking");
        }
        neighbour.wait_for(20);
    });
    neighbour.finish();
}

#[test]
fn memory_cut_off_while_it_is_used() {
    let mut scene = Scene::new(2);
    let neighbour = Neighbour::start(&scene, 1);
    for sealed in [false, true] {
        attack(&mut scene, None, |control| {
            control.introduce();
            let file = memory(1 << 20, sealed);
            let user = 0x7000_0000_u64;
            control.ask(control::SET_MEM_TABLE, &regions(&[[0, 1 << 20, user, 0]]), &[file.as_fd()]).expect("memory");
            // Where the device could forbid it, it has; where it could not, the process must bear the consequence.
            let _cut = ftruncate(&file, 0);
            let kick = counter();
            for ring in 0..3_u32 {
                let at = user + u64::from(ring) * 0x4000;
                let _sent = control.say(control::SET_VRING_NUM, &pair(ring, 256), &[]);
                let _sent = control.say(control::SET_VRING_ADDR, &addresses(ring, at, at + 0x2000, at + 0x1000), &[]);
                let _sent = control.say(control::SET_VRING_KICK, &u64::from(ring).to_ne_bytes(), &[kick.as_fd()]);
                let _sent = control.say(control::SET_VRING_ENABLE, &pair(ring, 1), &[]);
            }
            let _rung = rustix::io::write(&kick, &1_u64.to_ne_bytes());
            neighbour.wait_for(20);
        });
    }
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
