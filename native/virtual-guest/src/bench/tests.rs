//! What is measured: round trips, streams, new connections, idle connections.

#![forbid(unsafe_code)]

use super::road::{End, PIECE, Road};
use crate::payload;
use crate::peer::{CHARGEN, DISCARD, ECHO};
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Part of a firing that is not measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// Request and answer in turn on one connection; latencies in ns.
///
/// # Errors
/// When the far side does not answer, or not with what was sent.
pub fn round_trips(road: &Road, time: Duration, payload_bytes: usize) -> anyhow::Result<Value> {
    let mut end = road.connect(ECHO)?;
    let mut latencies = Histogram::<u64>::new_with_max(60_000_000_000, 3)?;
    let mut answer = vec![0; payload_bytes];
    let (mut sent, begin) = (0_u64, Instant::now());
    let mut now = begin;
    while now - begin < time + WARM_UP {
        let request = payload::at(sent, payload_bytes);
        end.write_all(request)?;
        end.read_exact(&mut answer)?;
        ensure!(answer == request, "the echo at byte {sent} is wrong");
        sent += payload_bytes as u64;
        let after = Instant::now();
        if after - begin > WARM_UP {
            latencies.saturating_record((after - now).as_nanos() as u64);
        }
        now = after;
    }
    let at = |quantile| latencies.value_at_quantile(quantile);
    Ok(json!({ "p50Ns": at(0.5), "p99Ns": at(0.99), "minNs": latencies.min(), "roundTrips": latencies.len() }))
}

/// Payload out of the guest, and what the far side says to have received, on a road that knows half close.
///
/// # Errors
/// When bytes got lost.
pub fn stream_up(road: &Road, time: Duration, half_close: bool) -> anyhow::Result<Value> {
    let mut end = road.connect(DISCARD)?;
    let (mut sent, begin) = (0_u64, Instant::now());
    while begin.elapsed() < time {
        sent += end.write(payload::at(sent, PIECE))? as u64;
    }
    if !half_close {
        return Ok(stream_result(sent, begin.elapsed().as_secs_f64()));
    }
    end.finish()?;
    let mut total = [0; 8];
    end.read_exact(&mut total).context("waiting for the far side's total")?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(u64::from_be_bytes(total) == sent, "{sent} bytes sent, {} received", u64::from_be_bytes(total));
    Ok(stream_result(sent, seconds))
}

/// Payload into the guest, the first MiB of it checked.
///
/// # Errors
/// When it is not what was sent.
pub fn stream_down(road: &Road, time: Duration) -> anyhow::Result<Value> {
    let mut end = road.connect(CHARGEN)?;
    let (mut received, begin, mut buffer) = (0_u64, Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let count = end.next_piece(&mut buffer)?;
        ensure!(count > 0, "the far side has ended the stream");
        ensure!(received > 1 << 20 || payload::matches(received, &buffer[..count]), "wrong bytes at {received}");
        received += count as u64;
    }
    Ok(stream_result(received, begin.elapsed().as_secs_f64()))
}

fn stream_result(bytes: u64, seconds: f64) -> Value {
    json!({ "bytes": bytes, "seconds": seconds, "bitsPerSecond": bytes as f64 * 8.0 / seconds })
}

/// One connection after the other: call, one byte there and back, close.
///
/// # Errors
/// When one of them fails.
pub fn connections(road: &Road, time: Duration) -> anyhow::Result<Value> {
    let (mut done, begin) = (0_u64, Instant::now());
    while begin.elapsed() < time {
        let mut end = road.connect(ECHO).with_context(|| format!("connection {done}"))?;
        end.write_all(b"!")?;
        let mut answer = [0];
        end.read_exact(&mut answer)?;
        ensure!(answer == *b"!", "connection {done} answered {answer:?}");
        done += 1;
    }
    road.settle()?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(json!({ "connections": done, "seconds": seconds, "perSecond": done as f64 / seconds }))
}

/// Opens connections, each of which has echoed a byte; they live as long as the answer.
///
/// # Errors
/// When one of them fails.
pub fn hold(road: &Road, count: usize) -> anyhow::Result<Vec<End>> {
    let mut held = Vec::with_capacity(count);
    for number in 0..count {
        held.push(road.connect(ECHO).with_context(|| format!("connection {number} of {count}"))?);
        ping(&mut held[number])?;
    }
    Ok(held)
}

/// One byte there and back.
///
/// # Errors
/// When it does not come back.
pub fn ping(end: &mut End) -> anyhow::Result<()> {
    end.write_all(b"?")?;
    let mut answer = [0];
    end.read_exact(&mut answer)?;
    ensure!(answer == *b"?", "the echo is {answer:?}");
    Ok(())
}
