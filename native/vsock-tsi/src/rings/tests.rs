//! Rings in order, and rings of guests that break the rules.

use super::driver::{BUFFERS, Driver, INDIRECT, MEMORY, NEXT, SIZE, WRITE};
use super::*;
use proptest::prelude::*;

fn take(driver: &Driver, ring: &mut Ring, direction: Direction) -> Result<Option<Vec<usize>>, Breach> {
    let mut parts = Vec::new();
    let chain = ring.take(&driver.memory.map, direction, &mut parts)?;
    Ok(chain.map(|_| parts.iter().map(VolatileSlice::len).collect()))
}

#[test]
fn chains_are_taken_in_order_put_back_and_given_back() {
    let mut driver = Driver::new();
    let mut ring = driver.ring(true);
    driver.describe(3, BUFFERS, 44, NEXT, 5);
    driver.describe(5, BUFFERS + 100, 7, 0, 0);
    driver.offer(3);
    assert_eq!(take(&driver, &mut ring, Direction::FromGuest).unwrap(), Some(vec![44, 7]));
    assert_eq!(take(&driver, &mut ring, Direction::FromGuest).unwrap(), None);
    ring.put_back();
    let mut parts = Vec::new();
    let chain = ring.take(&driver.memory.map, Direction::FromGuest, &mut parts).unwrap().unwrap();
    ring.done(&driver.memory.map, chain, 9).unwrap();
    assert_eq!(driver.used(), (1, 3, 9));
}

#[test]
fn a_table_of_descriptors_is_followed_but_not_a_table_in_a_table() {
    let mut driver = Driver::new();
    let mut ring = driver.ring(true);
    driver.describe_at(0x8000, BUFFERS, 10, WRITE | NEXT, 1);
    driver.describe_at(0x8010, BUFFERS, 20, WRITE, 0);
    driver.describe(0, 0x8000, 32, INDIRECT, 0);
    driver.offer(0);
    assert_eq!(take(&driver, &mut ring, Direction::ToGuest).unwrap(), Some(vec![10, 20]));
    driver.describe_at(0x8010, 0x8000, 32, INDIRECT, 0);
    driver.offer(0);
    assert!(take(&driver, &mut ring, Direction::ToGuest).is_err());
}

#[test]
fn broken_chains_name_what_is_wrong() {
    let far = MEMORY - 4;
    type Break = fn(&mut Driver, u64);
    let cases: [(&str, Break); 8] = [
        ("outside memory", |driver, far| driver.describe(0, far, 5, 0, 0)),
        ("outside memory", |driver, _| driver.describe(0, u64::MAX - 1, 5, 0, 0)),
        ("other direction", |driver, _| driver.describe(0, BUFFERS, 5, WRITE, 0)),
        ("leads nowhere", |driver, _| driver.describe(0, BUFFERS, 5, NEXT, SIZE)),
        ("leads nowhere", |driver, _| driver.describe(0, 0x8000, 15, INDIRECT, 0)),
        ("leads nowhere", |driver, _| driver.describe(0, MEMORY, 16, INDIRECT, 0)),
        ("leads nowhere", |driver, _| driver.describe(0, BUFFERS, 0, NEXT, 0)),
        ("more than 64 descriptors", |driver, _| {
            (0..100).for_each(|number| driver.describe_at(0x8000 + 16 * number, BUFFERS, 1, NEXT, number as u16 + 1));
            driver.describe(0, 0x8000, 1600, INDIRECT, 0);
        }),
    ];
    for (expected, break_it) in cases {
        let mut driver = Driver::new();
        let mut ring = driver.ring(true);
        break_it(&mut driver, far);
        driver.offer(0);
        let error = take(&driver, &mut ring, Direction::FromGuest).unwrap_err().to_string();
        assert!(error.starts_with("ring 1: ") && error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn heads_and_indices_beyond_the_ring_are_refused() {
    let mut driver = Driver::new();
    let mut ring = driver.ring(true);
    driver.offer(SIZE);
    assert!(take(&driver, &mut ring, Direction::FromGuest).is_err());
    let mut ring = driver.ring(true);
    driver.claim(SIZE + 1);
    assert!(take(&driver, &mut ring, Direction::FromGuest).is_err());
}

#[test]
fn a_ring_outside_memory_or_of_a_wrong_size_is_refused() {
    let driver = Driver::new();
    for size in [0, 3, 2048, 65_536 + 64] {
        assert!(Ring::new(0).set_size(size).is_err(), "{size}");
    }
    let mut ring = driver.ring(true);
    ring.set_addresses(Addresses { table: 0x7000_0000 + MEMORY - 16, used: 0x7000_3000, available: 0x7000_2000 });
    assert!(ring.ready(&driver.memory, true).unwrap_err().to_string().contains("outside"));
    ring.set_addresses(Addresses { table: 0x7000_1008, used: 0x7000_3000, available: 0x7000_2000 });
    assert!(ring.ready(&driver.memory, true).is_err(), "not aligned");
}

#[test]
fn interrupts_and_kicks_come_when_they_are_wished_for() {
    let mut driver = Driver::new();
    let mut ring = driver.ring(true);
    driver.describe(0, BUFFERS, 44, 0, 0);
    let use_one = |driver: &mut Driver, ring: &mut Ring| {
        driver.offer(0);
        let mut parts = Vec::new();
        let chain = ring.take(&driver.memory.map, Direction::FromGuest, &mut parts).unwrap().unwrap();
        ring.done(&driver.memory.map, chain, 0).unwrap();
    };
    driver.wish(1);
    use_one(&mut driver, &mut ring);
    assert!(!ring.signal(&driver.memory.map).unwrap(), "it wants to hear of the second");
    use_one(&mut driver, &mut ring);
    assert!(ring.signal(&driver.memory.map).unwrap() && ring.unnoticed(&driver.memory.map));
    use_one(&mut driver, &mut ring);
    assert!(!ring.signal(&driver.memory.map).unwrap(), "it has heard");
    driver.wish(3);
    assert!(!ring.unnoticed(&driver.memory.map), "it has looked");
    assert!(!ring.listen(&driver.memory.map).unwrap());
    assert_eq!(driver.asked(), 3);
    driver.offer(0);
    assert!(ring.listen(&driver.memory.map).unwrap() && ring.has_chains(&driver.memory.map).unwrap());
}

#[test]
fn room_is_told_before_the_guest_runs_out_of_it() {
    let mut driver = Driver::new();
    let mut ring = driver.ring(true);
    driver.describe(0, BUFFERS, 44, NEXT, 1);
    driver.describe(1, BUFFERS, 44, 0, 0);
    for number in 0..8 {
        assert!(!ring.runs_dry(), "after {number}");
        driver.offer(0);
        let mut parts = Vec::new();
        let chain = ring.take(&driver.memory.map, Direction::FromGuest, &mut parts).unwrap().unwrap();
        ring.done(&driver.memory.map, chain, 0).unwrap();
    }
    assert!(ring.runs_dry(), "a quarter of the ring");
}

proptest! {
    #[test]
    fn any_bytes_in_the_ring_are_survived(table: [u64; 16], heads in proptest::collection::vec(any::<u16>(), 1..20), claim: u16, small: bool) {
        let mut driver = Driver::new();
        let mut ring = driver.ring(true);
        for (number, word) in (0_u64..).zip(table) {
            // Small numbers make more chains that are whole.
            driver.put(0x1000 + 8 * number, if small { word & 0x0007_0007_0000_ffff } else { word });
        }
        heads.iter().for_each(|&head| driver.offer(if small { head % 8 } else { head }));
        if !small {
            driver.claim(claim);
        }
        for _ in 0..100 {
            let mut parts = Vec::new();
            match ring.take(&driver.memory.map, Direction::FromGuest, &mut parts) {
                Ok(Some(chain)) => ring.done(&driver.memory.map, chain, 0).unwrap(),
                Ok(None) => break,
                Err(error) => { prop_assert!(error.is_fault()); break }
            }
            prop_assert!(parts.len() <= CHAIN);
        }
    }
}
