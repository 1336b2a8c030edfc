//! Pings that wait for their pongs, to measure the round trip.

use std::collections::{TryReserveError, VecDeque};
use std::time::{Duration, Instant};

use super::histogram::Histogram;
use crate::memory;

/// Pings remembered at most that nobody awaits; an older one counts as unanswered.
const REMEMBERED: usize = 16;

/// One under way.
#[derive(Debug)]
struct Ping {
    payload: Vec<u8>,
    sent: Instant,
    awaited: bool,
}

/// The pings under way, the last round trip, and how many took how long.
#[derive(Debug, Default)]
pub struct Pings {
    sent: VecDeque<Ping>,
    /// Of those that are awaited, round trips that nobody has been told. There is memory for those to
    /// come.
    answered: VecDeque<Duration>,
    /// The last round trip.
    pub latency: Option<Duration>,
    /// One at most, when there has been a round trip.
    histogram: Vec<Histogram>,
}

impl Pings {
    /// Note that a ping is about to be sent, and whether somebody awaits its pong.
    ///
    /// # Errors
    /// There is no memory for that.
    pub fn sent(
        &mut self,
        payload: &[u8],
        now: Instant,
        awaited: bool,
    ) -> Result<(), TryReserveError> {
        let copy = memory::copied(payload)?;
        self.sent.try_reserve(1)?;
        let others = self.sent.iter().filter(|ping| ping.awaited == awaited).count();
        if awaited {
            self.answered.try_reserve(others + 1)?;
        } else if others == REMEMBERED {
            let oldest = self.sent.iter().position(|ping| !ping.awaited);
            oldest.and_then(|oldest| self.sent.remove(oldest));
        }
        self.sent.push_back(Ping { payload: copy, sent: now, awaited });
        Ok(())
    }

    /// Whether somebody awaits the pong of a ping with this payload.
    #[must_use]
    pub fn is_awaited(&self, payload: &[u8]) -> bool {
        self.sent.iter().any(|ping| ping.awaited && ping.payload == payload)
    }

    /// Forget the awaited ping with this payload, which was not sent. Returns how many awaited ones, whose
    /// round trips have not been told, were sent before it.
    pub fn forget(&mut self, payload: &[u8]) -> Option<usize> {
        let place = self.sent.iter().position(|ping| ping.awaited && ping.payload == payload)?;
        let before = self.sent.iter().take(place).filter(|ping| ping.awaited).count();
        self.sent.remove(place);
        Some(self.answered.len() + before)
    }

    /// §5.5.3: a pong carries its ping's payload, and may stand for earlier pings too. One that
    /// matches no ping was not asked for, and says nothing.
    ///
    /// Returns whether somebody is to be told.
    pub fn answered(&mut self, payload: &[u8], now: impl FnOnce() -> Instant) -> bool {
        let Some(index) = self.sent.iter().position(|ping| ping.payload == payload) else {
            return false;
        };
        let now = now();
        let latency = now.saturating_duration_since(self.sent[index].sent);
        self.latency = Some(latency);
        if self.histogram.is_empty() && self.histogram.try_reserve_exact(1).is_ok() {
            self.histogram.push(Histogram::default());
        }
        // Without memory, it does not count.
        self.histogram.iter_mut().for_each(|histogram| histogram.count(latency));
        let answered = self.sent.drain(..=index).filter(|ping| ping.awaited);
        self.answered.extend(answered.map(|ping| now.saturating_duration_since(ping.sent)));
        !self.answered.is_empty()
    }

    /// The round trip of the oldest awaited ping that was answered; it is told now.
    pub fn take_answered(&mut self) -> Option<Duration> {
        self.answered.pop_front()
    }

    /// How many round trips took how long; see [`Histogram::ranges`].
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        self.histogram.iter().flat_map(Histogram::ranges)
    }
}
