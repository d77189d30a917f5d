//! Whatever a guest and its uplink do, the contract with the uplink is kept (the mock insists on it) and bounds hold.

use super::mock::Bench;
use super::*;
use crate::budget::WINDOW;
use crate::packet::op;
use crate::uplink::Opening;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Packet { op: u16, port: u32, to_port: u32, flags: u32, length: usize, buffer: u32, taken: u32 },
    Drain(usize),
    FarSays { index: usize, length: usize, ends: bool },
    Ready { index: usize, readiness: Readiness },
    Room(usize),
    WriteFails(bool),
    Opening(u8),
    Call { port: u16, agent: bool },
    Driver,
}

fn step() -> impl Strategy<Value = Step> {
    let packet = (0..9_u16, 0..4_u32, 0..4_usize, 0..4_u32, 0..300_000_usize, any::<u32>(), any::<u32>()).prop_map(
        |(op, port, to, flags, length, buffer, taken)| {
            let (length, buffer) = (if op == op::RW { length } else { 0 }, buffer % 5000);
            let to_port = [8080, 0, 45_678, crate::hello::PORT][to];
            Step::Packet { op, port: 8080 + port, to_port, flags, length, buffer, taken }
        },
    );
    let readiness = prop_oneof![
        Just(Readiness::Opened),
        Just(Readiness::Readable),
        Just(Readiness::Writable),
        Just(Readiness::Broken),
    ];
    prop_oneof![
        8 => packet,
        3 => (0..20_usize).prop_map(Step::Drain),
        2 => (0..9_usize, 0..2000_usize, any::<bool>()).prop_map(|(index, length, ends)| Step::FarSays { index, length, ends }),
        2 => (0..9_usize, readiness).prop_map(|(index, readiness)| Step::Ready { index, readiness }),
        1 => (0..400_000_usize).prop_map(Step::Room),
        1 => any::<bool>().prop_map(Step::WriteFails),
        1 => any::<u8>().prop_map(Step::Opening),
        2 => (8080..8083_u16, any::<bool>()).prop_map(|(port, agent)| Step::Call { port, agent }),
        1 => Just(Step::Driver),
    ]
}

fn take(bench: &mut Bench, step: Step) {
    let nth = |bench: &Bench, index: usize| {
        let mut ids: Vec<_> = bench.traffic.tsi.live.keys().copied().collect();
        ids.sort_by_key(|id| id.generation);
        ids.get(index).copied()
    };
    match step {
        Step::Packet { op, port, to_port, flags, length, buffer, taken } => {
            let to_cid = if to_port == crate::hello::PORT { 2 } else { 0x0a0a_031e };
            let header = Header { to_cid, to_port, flags, buffer, taken, ..Bench::header(op, port) };
            bench.send(header, &vec![1; length]);
        }
        Step::Drain(count) => (0..count).for_each(|_| drop(bench.next())),
        Step::FarSays { index, length, ends } => {
            if let Some(id) = nth(bench, index) {
                bench.far_says(id, &vec![2; length], ends);
            }
        }
        Step::Ready { index, readiness } => {
            if let Some(id) = nth(bench, index) {
                bench.traffic.ready(id, readiness);
            }
        }
        Step::Room(room) => bench.traffic.tsi.room = room,
        Step::WriteFails(fails) => bench.traffic.tsi.write_fails = fails,
        Step::Opening(way) => {
            bench.traffic.tsi.opening = [Ok(Opening::Done), Ok(Opening::Pending), Err(Refused)][usize::from(way) % 3];
        }
        Step::Call { port, agent: false } => {
            let _id = bench.traffic.call_tcp("10.10.3.30:45678".parse().unwrap(), port);
        }
        Step::Call { port, agent: true } => {
            let _id = bench.traffic.call_agent(60_000 + u32::from(port));
        }
        Step::Driver => {
            bench.traffic.detach(0);
            assert!(bench.traffic.tsi.live.is_empty(), "a driver that starts anew leaves no stream");
            bench.traffic.attach(0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn nothing_a_guest_does_breaks_the_contract(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::tsi();
        for step in steps {
            take(&mut bench, step);
            let held: Vec<_> = bench.traffic.streams.iter().map(|stream| stream.held.len()).collect();
            prop_assert!(held.iter().all(|&held| held <= WINDOW as usize));
            prop_assert_eq!(held.iter().sum::<usize>(), bench.traffic.budget.held());
        }
        bench.traffic.detach(0);
        prop_assert_eq!(bench.traffic.streams.iter().count(), 0);
        prop_assert!(bench.traffic.tsi.live.is_empty());
        prop_assert_eq!(bench.traffic.snapshot().outbound.open, 0);
    }
}
