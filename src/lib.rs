//! The core of `wsclient`: RFC 6455 and 7692 for a client, without I/O.
//!
//! [`endpoint::Endpoint`] is the way in: an open WebSocket, which is told what happens and says what is to
//! be done. It stands on [`connection::Connection`], where bytes go in and events come out. Below that are
//! the parts that each keep one section of the RFC: [`frame`] (§5.2), [`mask`] and [`keys`] (§5.3),
//! [`assembler`] (§5.4), [`close`] (§7), [`utf8`] (§8.1) and [`registry`] (§11), and [`deflate`] RFC 7692;
//! [`transcode`] makes text of what is UTF-8, [`memory`] copies where memory may not be there, and
//! [`journal`] is what recordings are written from. Nothing
//! here knows of sockets, clocks or Python; the binding that does is in `python`, behind the feature of
//! that name.

pub mod assembler;
pub mod close;
pub mod connection;
pub mod deflate;
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod journal;
pub mod keys;
pub mod mask;
pub mod memory;
#[cfg(feature = "python")]
mod python;
pub mod registry;
pub mod transcode;
pub mod utf8;
