//! How far a message has come that is sent in fragments.

use crate::registry::Opcode;
use crate::utf8::{InvalidUtf8, Utf8Validator};

/// One under way.
#[derive(Debug)]
pub struct Outgoing {
    /// Of the next frame: only the first says what the message is (§5.4).
    opcode: Opcode,
    /// Checks text that nobody else has checked. A fragment may end inside a character (§5.6).
    utf8: Option<Utf8Validator>,
}

impl Outgoing {
    /// A message before its first fragment; with `checks`, it has to be UTF-8.
    pub fn new(opcode: Opcode, checks: bool) -> Self {
        Self { opcode, utf8: checks.then(Utf8Validator::new) }
    }

    /// The opcode of the next fragment, which is the last with `fin`.
    ///
    /// # Errors
    /// It is not UTF-8, and should be.
    pub fn next(&mut self, payload: &[u8], fin: bool) -> Result<Opcode, InvalidUtf8> {
        if let Some(utf8) = &mut self.utf8 {
            utf8.feed(payload)?;
            if fin {
                utf8.finish()?;
            }
        }
        Ok(self.opcode)
    }

    /// A fragment has left.
    pub fn begun(&mut self) {
        self.opcode = Opcode::Continuation;
    }

    /// Whether one has.
    pub fn has_begun(&self) -> bool {
        self.opcode == Opcode::Continuation
    }
}
