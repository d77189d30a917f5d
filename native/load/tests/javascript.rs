//! The harness reads the histograms with hdr-histogram-js: it must see what was recorded. Where node or the package is
//! not installed, this says so.

use load::histogram::Histogram;
use std::process::Command;

const DECODE: &str = "
const { decodeFromCompressedBase64 } = require('hdr-histogram-js')
const histogram = decodeFromCompressedBase64(process.argv[1])
console.log([histogram.totalCount, histogram.getValueAtPercentile(50), histogram.getValueAtPercentile(99),
  histogram.maxValue].join(' '))";

#[test]
fn hdr_histogram_js_reads_what_was_recorded() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let node =
        |code: &str, argument: &str| Command::new("node").args(["-e", code, argument]).current_dir(repository).output();
    if !node("require('hdr-histogram-js')", "").is_ok_and(|output| output.status.success()) {
        eprintln!("node or hdr-histogram-js is not installed: nothing to read with");
        return;
    }
    let mut histogram = Histogram::default();
    for value in 1..=10_000_u64 {
        histogram.record(value * 1_000);
    }
    let output = node(DECODE, &histogram.encode().unwrap()).unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = read.split_whitespace().map(|word| word.parse().unwrap()).collect();
    for (seen, expected) in numbers.iter().zip([10_000.0, 5_000_000.0, 9_900_000.0, 10_000_000.0_f64]) {
        assert!((seen - expected).abs() <= expected * 1e-3, "{read}");
    }
    assert_eq!(numbers.len(), 4, "{read} {}", String::from_utf8_lossy(&output.stderr));
}
