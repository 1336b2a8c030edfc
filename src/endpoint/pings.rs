//! Pings that wait for their pongs, to measure the round trip.

use std::collections::{TryReserveError, VecDeque};
use std::time::{Duration, Instant};

use super::histogram::Histogram;
use crate::memory::{self, Rare};

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
pub struct Pings(Rare<Sent>);

#[derive(Debug, Default)]
struct Sent {
    pings: VecDeque<Ping>,
    /// Of those that are awaited, round trips that nobody has been told. There is memory for those to
    /// come.
    answered: VecDeque<Duration>,
    /// The last round trip.
    latency: Option<Duration>,
    histogram: Rare<Histogram>,
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
        let sent = self.0.wanted()?;
        sent.pings.try_reserve(1)?;
        let others = sent.pings.iter().filter(|ping| ping.awaited == awaited).count();
        if awaited {
            sent.answered.try_reserve(others + 1)?;
        } else if others == REMEMBERED {
            let oldest = sent.pings.iter().position(|ping| !ping.awaited);
            oldest.and_then(|oldest| sent.pings.remove(oldest));
        }
        sent.pings.push_back(Ping { payload: copy, sent: now, awaited });
        Ok(())
    }

    /// Whether somebody awaits the pong of a ping with this payload.
    #[must_use]
    pub fn is_awaited(&self, payload: &[u8]) -> bool {
        let mut sent = self.0.get().into_iter().flat_map(|sent| &sent.pings);
        sent.any(|ping| ping.awaited && ping.payload == payload)
    }

    /// Forget the awaited ping with this payload, which was not sent. Returns how many awaited ones, whose
    /// round trips have not been told, were sent before it.
    pub fn forget(&mut self, payload: &[u8]) -> Option<usize> {
        let Sent { pings, answered, .. } = self.0.get_mut()?;
        let place = pings.iter().position(|ping| ping.awaited && ping.payload == payload)?;
        let before = pings.iter().take(place).filter(|ping| ping.awaited).count();
        pings.remove(place);
        Some(answered.len() + before)
    }

    /// §5.5.3: a pong carries its ping's payload, and may stand for earlier pings too. One that
    /// matches no ping was not asked for, and says nothing.
    ///
    /// Returns whether somebody is to be told.
    pub fn answered(&mut self, payload: &[u8], now: impl FnOnce() -> Instant) -> bool {
        let Some(sent) = self.0.get_mut() else {
            return false;
        };
        let Some(index) = sent.pings.iter().position(|ping| ping.payload == payload) else {
            return false;
        };
        let now = now();
        let latency = now.saturating_duration_since(sent.pings[index].sent);
        sent.latency = Some(latency);
        // Without memory, it does not count.
        if let Ok(histogram) = sent.histogram.wanted() {
            histogram.count(latency);
        }
        let answered = sent.pings.drain(..=index).filter(|ping| ping.awaited);
        sent.answered.extend(answered.map(|ping| now.saturating_duration_since(ping.sent)));
        !sent.answered.is_empty()
    }

    /// The round trip of the oldest awaited ping that was answered; it is told now.
    pub fn take_answered(&mut self) -> Option<Duration> {
        self.0.get_mut()?.answered.pop_front()
    }

    /// The last round trip.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.0.get()?.latency
    }

    /// How many round trips took how long; see [`Histogram::ranges`].
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        self.0.get().and_then(|sent| sent.histogram.get()).into_iter().flat_map(Histogram::ranges)
    }
}
