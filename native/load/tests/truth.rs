//! What the driver reports about servers whose slowness is known.

mod common;

use common::{Echo, fire};

const MS: u64 = 1_000_000;

#[test]
fn a_server_that_takes_20_ms_takes_20_ms_at_any_rate() {
    let echo = Echo::start("--delay-ms 20");
    for (rate, gaps) in [(20, "fixed"), (200, "exponential"), (500, "exponential")] {
        let fired = format!("--test latency --rate {rate} --gaps {gaps} --connections 64 --warmup 0.1 --duration 1");
        let outcome = fire(echo.at, &fired).unwrap();
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        assert_eq!(outcome.done, outcome.planned);
        let (low, median) = (outcome.histograms.latency.quantile(0.0), outcome.histograms.latency.quantile(0.5));
        assert!(low >= 20 * MS - MS / 50, "rate {rate}: {low} ns");
        assert!((20 * MS..26 * MS).contains(&median), "rate {rate}: {median} ns");
    }
}

#[test]
fn a_stall_is_seen_by_the_open_loop_and_hidden_from_the_closed_one() {
    let echo = Echo::start("--stall-every-s 0.5 --stall-ms 100");
    let open = fire(echo.at, "--test latency --rate 500 --connections 4 --warmup 0 --duration 2").unwrap();
    let closed = fire(echo.at, "--test capacity --connections 1 --warmup 0 --duration 2").unwrap();
    // A fifth of all planned requests falls into a stall; of the closed loop's only four do.
    let open_p95 = open.histograms.latency.quantile(0.95);
    assert!((50 * MS..150 * MS).contains(&open_p95), "{open_p95} ns");
    let closed_p95 = closed.histograms.service.quantile(0.95);
    assert!(closed_p95 < 10 * MS, "{closed_p95} ns");
    assert!(closed.histograms.service.quantile(1.0) > 90 * MS);
}

#[test]
fn waiting_for_a_connection_counts_as_latency_and_not_as_lateness() {
    let echo = Echo::start("--delay-ms 20");
    // One connection serves 50 a second; 100 are planned, so half is left over and those sent have waited long.
    let outcome =
        fire(echo.at, "--test latency --rate 100 --gaps fixed --connections 1 --warmup 0 --duration 1").unwrap();
    assert_eq!(outcome.planned, 100);
    assert_eq!(outcome.errors.get("unsent"), Some(&(outcome.planned - outcome.sent)));
    assert!((40..=51).contains(&outcome.sent), "{}", outcome.sent);
    assert!(outcome.histograms.latency.quantile(0.9) > 300 * MS);
    assert!(outcome.histograms.service.quantile(0.9) < 30 * MS);
    assert!(outcome.histograms.lateness.len() <= 2, "{}", outcome.histograms.lateness.len());
}

#[test]
fn an_answer_that_never_comes_is_a_timeout() {
    let echo = Echo::start("--delay-ms 10000");
    for test in ["latency --rate 100 --gaps fixed", "capacity"] {
        let outcome = fire(echo.at, &format!("--test {test} --connections 3 --warmup 0 --duration 0.1")).unwrap();
        assert_eq!((outcome.sent, outcome.done), (3, 0), "{test}");
        assert_eq!(outcome.errors.get("timeout"), Some(&3), "{test}");
        assert_eq!(outcome.latency_hdr, None);
    }
}

#[test]
fn the_traffic_agrees_with_the_results() {
    let echo = Echo::start("");
    let outcome =
        fire(echo.at, "--test crr --protocol tcp --payload 10 --connections 2 --warmup 0 --duration 0.2").unwrap();
    let traffic = outcome.traffic;
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    assert_eq!((outcome.sent, outcome.done), (traffic.requests, traffic.requests));
    assert_eq!((traffic.bytes_sent, traffic.bytes_received), (18 * traffic.requests, 10 * traffic.requests));
    assert_eq!(traffic.connections, traffic.requests);
    assert!(outcome.connections_done + 2 >= outcome.done);
}

#[test]
fn every_test_is_answered_without_an_error() {
    let echo = Echo::start("");
    for fired in [
        "capacity --connections 16",
        "capacity --payload 0",
        "capacity --payload 1048576 --connections 3",
        "capacity --new-connections",
        "rr --protocol tcp --payload 1",
        "rr --protocol tcp --payload 300000 --connections 3",
        "crr",
        "crr --protocol tcp --payload 100000",
        "latency --protocol tcp --rate 500 --connections 2",
    ] {
        let outcome = fire(echo.at, &format!("--test {fired} --warmup 0.05 --duration 0.15")).unwrap();
        assert!(outcome.errors.is_empty(), "{fired}: {:?}", outcome.errors);
        assert!(outcome.done > 0, "{fired}");
        assert_eq!(outcome.done, outcome.planned, "{fired}");
    }
    for direction in ["stream-up", "stream-down"] {
        let fired = format!("--test {direction} --protocol tcp --connections 2 --warmup 0.05 --duration 0.15");
        let outcome = fire(echo.at, &fired).unwrap();
        assert!(outcome.stream_bytes > 1_000_000 && outcome.errors.is_empty(), "{direction}: {:?}", outcome.errors);
    }
}
