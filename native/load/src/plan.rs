//! The plan: every send time of a firing, drawn before the first request.

use crate::clock::SECOND;
use crate::options::Gaps;

/// SplitMix64 (Steele, Lea, Flood: «Fast splittable pseudorandom number generators», OOPSLA 2014; constants as in
/// Vigna's public-domain splitmix64.c): eight lines, equally good for neighbouring seeds.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator; the same seed gives the same numbers on every machine.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1]: never 0, so that its logarithm is finite.
    pub fn next_unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// Send times in ns from the start of the firing, rising, all below `length_ns`.
#[must_use]
pub fn draw(seed: u64, gaps: Gaps, rate: f64, length_ns: u64) -> Vec<u64> {
    let gap_ns = SECOND as f64 / rate;
    let mut random = SplitMix64::new(seed);
    let mut times = Vec::with_capacity((length_ns as f64 / gap_ns * 1.1) as usize + 16);
    let mut at = 0.0;
    while (at as u64) < length_ns {
        times.push(at as u64);
        at += match gaps {
            Gaps::Fixed => gap_ns,
            Gaps::Exponential => -random.next_unit().ln() * gap_ns,
        };
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of splitmix64.c for seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!([random.next_u64(), random.next_u64()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn fixed_gaps_are_fixed() {
        assert_eq!(draw(7, Gaps::Fixed, 4.0, SECOND), [0, 250_000_000, 500_000_000, 750_000_000]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_seed_is_a_plan(seed: u64, rate in 100.0..20_000.0_f64) {
            let plan = draw(seed, Gaps::Exponential, rate, SECOND);
            prop_assert_eq!(&plan, &draw(seed, Gaps::Exponential, rate, SECOND));
            prop_assert_ne!(&plan, &draw(seed.wrapping_add(1), Gaps::Exponential, rate, SECOND));
            prop_assert!(plan.is_sorted());
            prop_assert!(plan.iter().all(|&at| at < SECOND));
        }

        #[test]
        fn gaps_are_exponential_with_the_mean_of_the_rate(seed: u64) {
            let (rate, seconds) = (5_000.0, 20_u64);
            let plan = draw(seed, Gaps::Exponential, rate, seconds * SECOND);
            let gaps: Vec<f64> = plan.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * rate / SECOND as f64).collect();
            let count = gaps.len() as f64;
            let mean = gaps.iter().sum::<f64>() / count;
            // 100,000 gaps of sd 1: the mean lies within 5 standard errors.
            prop_assert!((mean - 1.0).abs() < 0.016, "mean {}", mean);
            for threshold in [0.1, 0.5, 1.0, 2.0, 4.0_f64] {
                let share = gaps.iter().filter(|&&gap| gap > threshold).count() as f64 / count;
                prop_assert!((share - (-threshold).exp()).abs() < 0.008, "P(gap > {}) = {}", threshold, share);
            }
        }
    }
}
