//! How far somebody is with a message that is received in parts.

use crate::registry::Opcode;

/// How far somebody is with receiving a message in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nobody does.
    #[default]
    Off,
    /// Somebody has asked for the next message, and taken nothing of it.
    Wanted,
    /// A part has been taken, and not the last.
    Begun,
}

/// The same, and what is left of the message before.
#[derive(Debug)]
pub struct Streaming {
    pub stage: Stage,
    /// The stage before something was taken, in case that is put back.
    pub before: Stage,
    /// What kind of message the last part was of.
    pub opcode: Opcode,
    /// How many messages have been begun.
    pub number: u64,
    /// The rest of a message is discarded: it has been left.
    pub discards: bool,
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            stage: Stage::Off,
            before: Stage::Off,
            opcode: Opcode::Text,
            number: 0,
            discards: false,
        }
    }
}
