//! What is handed to Python: messages, exceptions, numbers; and what is taken from there.

pub mod dialect;
pub mod errors;
pub mod journal;
pub mod kinds;
pub mod message;
pub mod outgoing;
pub mod payload;
pub mod totals;
