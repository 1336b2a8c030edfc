//! How many of something took how long.

use std::time::Duration;

/// The last range is open; it begins above an hour.
const RANGES: usize = 128;

/// Counts of durations, in ranges whose bounds are at most a quarter apart.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: [u64; RANGES],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; RANGES] }
    }
}

impl Histogram {
    /// Count one.
    pub fn count(&mut self, duration: Duration) {
        self.counts[range_of(duration)] += 1;
    }

    /// The ranges that are not empty, in order: each one's upper bound in seconds, and its count.
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        let counts = self.counts.iter().copied().enumerate();
        counts.filter(|&(_, count)| count > 0).map(|(range, count)| (upper_bound(range), count))
    }
}

/// Microseconds below four have a range each; above, each power of two has four.
fn range_of(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let exponent = micros.checked_ilog2().unwrap_or(0) as usize;
    if exponent < 2 {
        return usize::from(micros > 0) + usize::from(micros > 1) + usize::from(micros > 2);
    }
    let quarter = (micros >> (exponent - 2) & 3) as usize;
    (4 * (exponent - 1) + quarter).min(RANGES - 1)
}

#[expect(clippy::cast_precision_loss, reason = "three bits are set")]
fn upper_bound(range: usize) -> f64 {
    let micros = match range {
        0..4 => range as u64 + 1,
        127.. => return f64::INFINITY,
        _ => (range as u64 % 4 + 5) << (range / 4 - 1),
    };
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_duration_is_within_its_range(micros in 0..10_000_000_000_u64) {
            let duration = Duration::from_micros(micros);
            let range = range_of(duration);
            prop_assert!(duration.as_secs_f64() < upper_bound(range) + 1e-9);
            prop_assert!(range == 0 || duration.as_secs_f64() > upper_bound(range - 1) - 1e-9);
        }
    }
}
