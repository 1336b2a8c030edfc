//! Every way in which a connection ends (RFC 6455 §7), as phases and the events that move them.
//!
//! The closing handshake itself is [`close::State`](crate::close::State). This is what stands around
//! it: messages that came before the end are to be taken and may be answered, TCP ends after
//! WebSocket, and either may be cut off.

use std::time::Duration;

use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::registry::code;

/// How long each step of an ending may take that waits for somebody: for messages that came before the
/// peer's end to be taken and answered; then for the server to close TCP first, as it should (§7.1.1),
/// and for what is still to be written to leave.
pub const LINGER: Duration = Duration::from_secs(1);

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nobody has ended the connection.
    #[default]
    Open,
    /// The transport writes nothing more, and says for itself when it is gone.
    Severed,
    /// The peer has ended it, by close frame or by a breach of the protocol. The close frame that it
    /// has coming waits until the messages before are taken, as who takes them may want to answer.
    Answering,
    /// The peer has sent its close frame, and to answer it is the user's.
    Unanswered,
    /// This side has sent its close frame, and the peer has not.
    Closing,
    /// The WebSocket is over, and TCP is to follow.
    Lingering,
    /// The transport is to be dropped, or has been.
    Aborting,
    /// The transport is gone.
    Gone,
}

/// What moves it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The transport is found to write nothing more.
    Sever,
    /// The peer has ended the connection, and this side is to answer that.
    PeerEnds,
    /// The peer's close frame has arrived, and is the user's to answer.
    PeerCloses,
    /// This side answers: nothing is left to wait for before it does.
    Answer,
    /// This side sends its close frame.
    Close,
    /// The peer has closed its end of TCP.
    Eof,
    /// Time is up in which TCP was to end.
    Expire,
    /// This side drops the connection.
    Abort,
    /// The transport is gone.
    Lose,
}

/// The phase after each event, `None` where it changes nothing.
#[rustfmt::skip] // A line for each phase.
const PHASES: [[Option<Phase>; 9]; 8] = {
    use Phase::{Aborting, Answering, Closing, Gone, Lingering, Severed, Unanswered};
    const SEVERED: Option<Phase> = Some(Severed);
    const ANSWER: Option<Phase> = Some(Answering);
    const HOLD: Option<Phase> = Some(Unanswered);
    const CLOSE: Option<Phase> = Some(Closing);
    const LINGER: Option<Phase> = Some(Lingering);
    const ABORT: Option<Phase> = Some(Aborting);
    const GONE: Option<Phase> = Some(Gone);
    const SAME: Option<Phase> = None;
    [
        //               Sever    PeerEnds PeerCloses Answer  Close   Eof     Expire  Abort  Lose
        /* Open */       [SEVERED, ANSWER, HOLD,   SAME,   CLOSE,  LINGER, SAME,   ABORT, GONE],
        /* Severed */    [SAME,    LINGER, HOLD,   SAME,   CLOSE,  LINGER, SAME,   ABORT, GONE],
        /* Answering */  [LINGER,  SAME,   SAME,   LINGER, SAME,   LINGER, SAME,   ABORT, GONE],
        /* Unanswered */ [SAME,    SAME,   SAME,   LINGER, LINGER, LINGER, SAME,   ABORT, GONE],
        /* Closing */    [SAME,    LINGER, LINGER, SAME,   SAME,   LINGER, ABORT,  ABORT, GONE],
        /* Lingering */  [SAME,    SAME,   SAME,   SAME,   SAME,   SAME,   ABORT,  ABORT, GONE],
        /* Aborting */   [SAME,    SAME,   SAME,   SAME,   SAME,   SAME,   SAME,   SAME,  GONE],
        /* Gone */       [SAME; 9],
    ]
};

impl Phase {
    /// The phase after `event`, or `None` if that changes nothing.
    #[must_use]
    pub const fn after(self, event: Event) -> Option<Self> {
        PHASES[self as usize][event as usize]
    }

    /// Whether messages can be sent.
    #[must_use]
    #[inline]
    pub const fn is_open(self) -> bool {
        // §5.5.1 forbids data after this side's close frame, not after the peer's.
        matches!(self, Self::Open | Self::Answering | Self::Unanswered)
    }
}

/// How the connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// By the peer's close frame.
    Closed(CloseFrame),
    /// By a breach of the protocol, or for want of memory.
    Violation(ProtocolError),
    /// This side has given it up, for this reason.
    GivenUp(String),
}

impl Fate {
    /// The close code (§7.1.5): 1005 if the peer's close frame had none, 1006 if there was no frame.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Closed(frame) => frame.code.unwrap_or(code::NO_STATUS),
            Self::Violation(error) => error.close_code(),
            Self::GivenUp(_) => code::ABNORMAL,
        }
    }

    /// The close reason (§7.1.6), or what went wrong.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Closed(frame) => frame.reason.clone(),
            Self::Violation(error) => error.to_string(),
            Self::GivenUp(reason) => reason.clone(),
        }
    }
}

/// What is known of the end.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts beside the phase, true in several of them"
)]
pub struct Ending {
    pub phase: Phase,
    /// The close frame that the peer has coming.
    pub answer: Option<CloseFrame>,
    /// Set once: what comes first is what is told.
    pub fate: Option<Fate>,
    /// This side's close frame, and whether the peer's was there before.
    pub sent: Option<(CloseFrame, bool)>,
    /// The end has been handed out as a message.
    pub told: bool,
    /// The user has been told of the peer's close frame, and answers it by wanting more.
    pub asked: bool,
    /// This side was asked to close.
    pub called: bool,
    /// What else arrives is for nobody: this side closes, or more has come than is kept.
    pub discards: bool,
    /// Whoever wants a message and finds none is told of the end at once.
    pub tells: bool,
    /// The peer has closed its end of TCP.
    pub eof: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 8] = [
        Phase::Open,
        Phase::Severed,
        Phase::Answering,
        Phase::Unanswered,
        Phase::Closing,
        Phase::Lingering,
        Phase::Aborting,
        Phase::Gone,
    ];
    const EVENTS: [Event; 9] = [
        Event::Sever,
        Event::PeerEnds,
        Event::PeerCloses,
        Event::Answer,
        Event::Close,
        Event::Eof,
        Event::Expire,
        Event::Abort,
        Event::Lose,
    ];

    #[test]
    fn no_event_leads_back() {
        for phase in PHASES {
            for event in EVENTS {
                if let Some(next) = phase.after(event) {
                    assert!(next as u8 > phase as u8, "{phase:?}, {event:?}: {next:?}");
                }
            }
        }
    }

    #[test]
    fn every_phase_is_lost_with_the_transport() {
        for phase in PHASES {
            let gone = (phase != Phase::Gone).then_some(Phase::Gone);
            assert_eq!(phase.after(Event::Lose), gone);
            if (phase as u8) < Phase::Aborting as u8 {
                assert_eq!(phase.after(Event::Abort), Some(Phase::Aborting));
            }
        }
    }

    #[test]
    fn fates_have_codes_and_reasons() {
        let closed = CloseFrame { code: None, reason: String::new() };
        for (fate, code, reason) in [
            (Fate::Closed(closed), 1005, ""),
            (Fate::Violation(ProtocolError::Masked), 1002, "masked frame from a server"),
            (Fate::GivenUp("late".to_owned()), 1006, "late"),
        ] {
            assert_eq!((fate.code(), fate.reason().as_str()), (code, reason));
        }
    }
}
