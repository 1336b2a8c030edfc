//! Backpressure, both ways: what has paused reading, and what waits while writing is paused.

use std::collections::TryReserveError;
use std::mem;

/// What pauses reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Nothing.
    #[default]
    On,
    /// The inbox is full.
    Full,
    /// The user asked for it.
    ByUser,
    /// Both.
    FullByUser,
    /// Nothing, and nothing will: the connection ends, and its end is to be read.
    ToTheEnd,
}

/// What changes that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The inbox is full, and bytes are held back.
    Fill,
    /// All that was held back is parsed.
    Drain,
    /// The user wants a pause.
    Pause,
    /// The user wants no pause any more.
    Resume,
    /// The connection ends.
    End,
}

/// What pauses reading after each turn.
const READING: [[Reading; 5]; 5] = {
    use Reading::{ByUser, Full, FullByUser, On, ToTheEnd};
    [
        // Fill, Drain, Pause, Resume, End
        /* On */ [Full, On, ByUser, On, ToTheEnd],
        /* Full */ [Full, On, FullByUser, Full, ToTheEnd],
        /* ByUser */ [FullByUser, ByUser, ByUser, On, ToTheEnd],
        /* FullByUser */ [FullByUser, ByUser, FullByUser, Full, ToTheEnd],
        /* ToTheEnd */ [ToTheEnd; 5],
    ]
};

impl Reading {
    /// What pauses reading after `turn`.
    #[must_use]
    pub const fn after(self, turn: Turn) -> Self {
        READING[self as usize][turn as usize]
    }

    /// Whether anything does.
    #[must_use]
    pub const fn is_paused(self) -> bool {
        matches!(self, Self::Full | Self::ByUser | Self::FullByUser)
    }

    /// Whether a full inbox is a reason to pause.
    #[must_use]
    #[inline]
    pub const fn heeds_inbox(self) -> bool {
        !matches!(self, Self::ToTheEnd)
    }
}

/// Whether frames can be written at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// They can.
    #[default]
    On,
    /// The transport has more to write than it wants to hold. The newest ping that came meanwhile is
    /// answered when it has room again, and no earlier one: a peer that sends pings and does not read
    /// would have its pongs pile up here.
    Paused(Option<Vec<u8>>),
}

/// The state of both directions.
#[derive(Debug, Default)]
pub struct Flow {
    pub reading: Reading,
    /// The transport has been told to pause reading.
    told: bool,
    /// Bytes that were read when the inbox was full.
    pub held: Vec<u8>,
    pub writing: Writing,
}

impl Flow {
    /// Take note that the transport comes paused.
    pub fn begin_paused(&mut self) {
        self.told = true;
    }

    /// Let `turn` happen; returns whether the transport is to be told of it.
    pub fn turn(&mut self, turn: Turn) -> bool {
        self.reading = self.reading.after(turn);
        self.reading.is_paused() != self.told
    }

    /// Whether reading is to pause, if the transport does not know that yet; it is told now.
    pub fn tell(&mut self) -> Option<bool> {
        let wanted = self.reading.is_paused();
        (mem::replace(&mut self.told, wanted) != wanted).then_some(wanted)
    }

    /// The transport could not be told; returns whether it was of a pause.
    pub fn untold(&mut self) -> bool {
        self.told = !self.told;
        !self.told
    }

    /// Keep `input` until the inbox has room.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn hold(&mut self, input: &[u8]) -> Result<(), TryReserveError> {
        self.held.try_reserve(input.len())?;
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// Whether the transport has asked for a pause in writing.
    #[must_use]
    #[inline]
    pub const fn is_writing_paused(&self) -> bool {
        matches!(self.writing, Writing::Paused(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_pauses_by_itself() {
        let after = |turns: &[Turn]| turns.iter().fold(Reading::On, |now, turn| now.after(*turn));
        for (turns, paused) in [
            (&[][..], false),
            (&[Turn::Pause, Turn::Fill, Turn::Resume], true),
            (&[Turn::Fill, Turn::Pause, Turn::Drain], true),
            (&[Turn::Fill, Turn::Pause, Turn::Drain, Turn::Resume], false),
            (&[Turn::Pause, Turn::Pause, Turn::Resume], false),
            (&[Turn::Fill, Turn::Pause, Turn::End, Turn::Pause, Turn::Fill], false),
        ] {
            assert_eq!(after(turns).is_paused(), paused, "{turns:?}");
        }
    }

    #[test]
    fn the_transport_is_told_what_it_does_not_know() {
        let mut flow = Flow::default();
        flow.begin_paused();
        assert_eq!(flow.tell(), Some(false));
        assert!(flow.turn(Turn::Pause));
        assert!(!flow.turn(Turn::Resume));
        assert_eq!(flow.tell(), None);
        assert!(flow.turn(Turn::Pause));
        for _ in 0..2 {
            assert_eq!(flow.tell(), Some(true));
            assert!(flow.untold());
        }
        assert!(!flow.turn(Turn::Resume));
    }
}
