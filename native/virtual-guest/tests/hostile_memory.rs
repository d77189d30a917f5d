//! A front end whose memory and rings cannot be, or change while they are used: the process lives on for all others.

mod common;

use common::Scene;
use common::control::{self, Control, addresses, attack, counter, many, memory, pair, regions};
use common::neighbour::Neighbour;
use rustix::fd::AsFd;
use rustix::fs::ftruncate;
use std::time::Duration;

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
