//! HDR histograms in ns: recorded while it runs, sent as V2 compressed base64 (readable by hdr-histogram-js).

use base64::Engine;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// Significant digits: relative error below 0.1 %.
const DIGITS: u8 = 3;

/// Longest value in ns (one hour); longer ones are recorded as this.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Values in ns. All memory is taken when it is made.
#[derive(Debug, Clone)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self::with_digits(DIGITS)
    }
}

impl Histogram {
    /// A coarser one, where many are reset often.
    #[must_use]
    pub fn with_digits(digits: u8) -> Self {
        // The bounds are constants within the crate's limits.
        Self(hdrhistogram::Histogram::new_with_bounds(1, LONGEST_NS, digits).unwrap_or_else(|_| unreachable!()))
    }

    /// Records one value.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Value at a quantile from 0 to 1, in ns.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// V2 compressed encoding in base64; `None` without values.
    #[must_use]
    pub fn encode(&self) -> Option<String> {
        let mut bytes = Vec::new();
        let coded = V2DeflateSerializer::new().serialize(&self.0, &mut bytes).is_ok();
        (coded && !self.is_empty()).then(|| base64::engine::general_purpose::STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percentiles_are_exact_to_three_digits(mut values in prop::collection::vec(1_u64..100_000_000_000, 1..2_000)) {
            let mut histogram = Histogram::default();
            for &value in &values {
                histogram.record(value);
            }
            values.sort_unstable();
            for quantile in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0_f64] {
                let rank = ((quantile * values.len() as f64).ceil() as usize).clamp(1, values.len());
                let (exact, seen) = (values[rank - 1] as f64, histogram.quantile(quantile) as f64);
                prop_assert!((seen - exact).abs() <= exact * 1e-3 + 1.0, "q{} {} {}", quantile, exact, seen);
            }
        }
    }

    #[test]
    fn nothing_has_no_encoding() {
        assert_eq!(Histogram::default().encode(), None);
    }
}
