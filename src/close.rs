//! The closing handshake: codes, payload and states (RFC 6455 §7).

use std::fmt::Display;

use crate::error::ProtocolError;
use crate::frame::MAX_CONTROL_PAYLOAD;
use crate::memory;

/// The longest reason: what a control frame holds beside the code.
pub const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// Whether a close frame may carry this code, from either side: the codes of §7.4.1, those that
/// IANA registered since (1012 to 1014), and the ranges for libraries and applications (§7.4.2).
#[must_use]
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What is wrong with a code that must not be sent.
#[must_use]
pub fn not_sendable(code: impl Display) -> String {
    format!("close code {code} must not be sent, expected 1000-1003, 1007-1014 or 3000-4999")
}

/// Check what this side wants to send.
///
/// # Errors
/// A code that must not be sent, or a reason that does not fit; says what is wrong with it.
pub fn check(frame: &CloseFrame) -> Result<(), String> {
    if let Some(code) = frame.code.filter(|&code| !is_sendable(code)) {
        return Err(not_sendable(code));
    }
    let size = frame.reason.len();
    if size > MAX_REASON {
        return Err(format!("close reason is {size} bytes long, expected at most {MAX_REASON}"));
    }
    Ok(())
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloseFrame {
    /// Why the connection closes; a frame may leave it out.
    pub code: Option<u16>,
    /// Why, in words.
    pub reason: String,
}

impl CloseFrame {
    /// A copy; without the reason, if there is no memory for it.
    #[must_use]
    pub fn copied(&self) -> Self {
        let reason = memory::copied(self.reason.as_bytes()).unwrap_or_default();
        Self { code: self.code, reason: String::from_utf8(reason).unwrap_or_default() }
    }

    /// Read the payload of a close frame (§5.5.1).
    ///
    /// # Errors
    /// One byte of payload, a code that must not be sent, a reason that is not UTF-8, or no memory for
    /// it.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Ok(Self::default())
            } else {
                Err(ProtocolError::TruncatedClose)
            };
        };
        let code = u16::from_be_bytes(*code);
        if !is_sendable(code) {
            return Err(ProtocolError::InvalidCloseCode(code));
        }
        let text = std::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
        let mut reason = String::new();
        reason.try_reserve_exact(text.len())?;
        reason.push_str(text);
        Ok(Self { code: Some(code), reason })
    }

    /// The payload that says this; `None` without a code means no payload, as there is no place
    /// for a reason then.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn payload(&self) -> Result<Vec<u8>, ProtocolError> {
        let mut payload = Vec::new();
        if let Some(code) = self.code {
            payload.try_reserve_exact(2 + self.reason.len())?;
            payload.extend_from_slice(&code.to_be_bytes());
            payload.extend_from_slice(self.reason.as_bytes());
        }
        Ok(payload)
    }

    /// A close frame that answers `error`, its reason cut to what fits at a character's border.
    #[must_use]
    pub fn for_error(error: &ProtocolError) -> Self {
        let mut reason = error.to_string();
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        Self { code: Some(error.close_code()), reason }
    }
}

/// How far the closing handshake has come (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Neither side has sent a close frame.
    Open,
    /// This side has; the peer may still send messages.
    CloseSent,
    /// The peer has, and may send nothing more; this side has not answered.
    CloseReceived,
    /// Both have, or the transport is gone: only the TCP connection is left to end (§7.1.1).
    Closed,
}

/// What moves the closing handshake on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This side sends a close frame.
    Send,
    /// The peer's close frame arrives.
    Receive,
}

/// The state after each step, `None` where the step is not allowed.
const STATES: [[Option<State>; 2]; 4] = {
    use State::{CloseReceived, CloseSent, Closed};
    [
        // Send, Receive
        /* Open */ [Some(CloseSent), Some(CloseReceived)],
        /* CloseSent */ [None, Some(Closed)],
        /* CloseReceived */ [Some(Closed), None],
        /* Closed */ [None, None],
    ]
};

impl State {
    /// The state after `step`, or `None` if it is not allowed now.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<Self> {
        STATES[self as usize][step as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_may_travel() {
        let allowed: Vec<u16> = (0..=u16::MAX).filter(|&code| is_sendable(code)).collect();
        let mut expected: Vec<u16> = vec![1000, 1001, 1002, 1003];
        expected.extend(1007..=1014);
        expected.extend(3000..=4999);
        assert_eq!(allowed, expected);
    }

    #[test]
    fn payloads_round_trip() -> Result<(), ProtocolError> {
        for (code, reason) in [(None, ""), (Some(1000), ""), (Some(4999), "Grüße")] {
            let frame = CloseFrame { code, reason: reason.to_owned() };
            assert_eq!(CloseFrame::parse(&frame.payload()?)?, frame);
        }
        Ok(())
    }

    #[test]
    fn bad_payloads_are_named() {
        let parse = CloseFrame::parse;
        assert_eq!(parse(b"\x03"), Err(ProtocolError::TruncatedClose));
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(parse(&code.to_be_bytes()), Err(ProtocolError::InvalidCloseCode(code)));
        }
        assert_eq!(parse(b"\x03\xe8\xff"), Err(ProtocolError::InvalidCloseReason));
    }

    #[test]
    fn error_reasons_fit_a_control_frame() -> Result<(), ProtocolError> {
        let error = ProtocolError::MessageTooBig { size: u64::MAX, limit: u64::MAX };
        let frame = CloseFrame::for_error(&error);
        assert_eq!(frame.code, Some(1009));
        assert!(frame.payload()?.len() <= MAX_CONTROL_PAYLOAD);
        Ok(())
    }

    #[test]
    fn each_side_sends_one_close_frame() {
        for order in [[Step::Send, Step::Receive], [Step::Receive, Step::Send]] {
            let half = State::Open.after(order[0]);
            assert_eq!(half.and_then(|state| state.after(order[0])), None);
            assert_eq!(half.and_then(|state| state.after(order[1])), Some(State::Closed));
        }
        assert_eq!(State::Closed.after(Step::Send), None);
        assert_eq!(State::Closed.after(Step::Receive), None);
    }
}
