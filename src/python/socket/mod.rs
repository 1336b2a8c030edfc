//! Past the transport: the socket itself, and where bytes lie that come from it and go to it.

pub mod gathering;
pub mod poll;
pub mod read;
pub mod scratch;
pub mod system;
pub mod write;

pub use system::Socket;
