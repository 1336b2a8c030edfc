//! Pings that wait for their pongs, to measure the round trip.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;

/// Pings remembered at most; an older one counts as unanswered.
const REMEMBERED: usize = 16;

/// The pings under way, the last round trip, and how many took how long.
#[derive(Default)]
pub struct Pings {
    sent: VecDeque<(Box<[u8]>, Instant)>,
    pub latency: Option<Duration>,
    histogram: Option<Box<Histogram>>,
}

impl Pings {
    pub fn sent(&mut self, payload: &[u8]) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((payload.into(), Instant::now()));
    }

    /// §5.5.3: a pong carries its ping's payload, and may stand for earlier pings too. One that
    /// matches no ping was not asked for, and says nothing.
    pub fn answered(&mut self, payload: &[u8]) {
        if let Some(index) = self.sent.iter().position(|(sent, _)| **sent == *payload) {
            let latency = self.sent[index].1.elapsed();
            self.latency = Some(latency);
            self.histogram.get_or_insert_default().count(latency);
            self.sent.drain(..=index);
        }
    }

    /// How many round trips took how long; see [`Histogram::ranges`].
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        self.histogram.iter().flat_map(|histogram| histogram.ranges())
    }
}
