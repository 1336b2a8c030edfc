//! Pings that wait for their pongs, to measure the round trip.

use std::collections::{TryReserveError, VecDeque};
use std::time::{Duration, Instant};

use super::histogram::Histogram;
use crate::memory;

/// Pings remembered at most; an older one counts as unanswered.
const REMEMBERED: usize = 16;

/// The pings under way, the last round trip, and how many took how long.
#[derive(Debug, Default)]
pub struct Pings {
    sent: VecDeque<(Vec<u8>, Instant)>,
    /// The last round trip.
    pub latency: Option<Duration>,
    /// One at most, when there has been a round trip.
    histogram: Vec<Histogram>,
}

impl Pings {
    /// Note that a ping is about to be sent.
    ///
    /// # Errors
    /// There is no memory for that.
    pub fn sent(&mut self, payload: &[u8], now: Instant) -> Result<(), TryReserveError> {
        let copy = memory::copied(payload)?;
        self.sent.try_reserve(1)?;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((copy, now));
        Ok(())
    }

    /// §5.5.3: a pong carries its ping's payload, and may stand for earlier pings too. One that
    /// matches no ping was not asked for, and says nothing.
    pub fn answered(&mut self, payload: &[u8], now: impl FnOnce() -> Instant) {
        if let Some(index) = self.sent.iter().position(|(sent, _)| sent == payload) {
            let latency = now().saturating_duration_since(self.sent[index].1);
            self.latency = Some(latency);
            if self.histogram.is_empty() && self.histogram.try_reserve_exact(1).is_ok() {
                self.histogram.push(Histogram::default());
            }
            // Without memory, it does not count.
            self.histogram.iter_mut().for_each(|histogram| histogram.count(latency));
            self.sent.drain(..=index);
        }
    }

    /// How many round trips took how long; see [`Histogram::ranges`].
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        self.histogram.iter().flat_map(Histogram::ranges)
    }
}
