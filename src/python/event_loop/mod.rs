//! On asyncio: an endpoint between a transport and tasks.
//!
//! Every function here keeps to one order: borrow the connection, change its state, release the borrow,
//! and only then call Python. The code that is called may be a woken task that receives, sends, closes
//! or drops the connection.
//!
//! Python code also runs where nobody calls it: when the last reference to an object goes that has a
//! finalizer, or refers to one that has, and (before CPython 3.12) when an object is made that the
//! garbage collector knows of. So while a connection is borrowed, nothing is made but strings, bytes,
//! numbers and messages' contents, and exceptions, futures, awaitables and functions are moved out of it,
//! to be dropped after the borrow.

mod anchor;
pub mod awaitable;
mod backlog;
pub mod batch;
pub mod buffer;
mod busy;
mod closing;
pub mod cork;
pub mod failure;
mod fragments;
mod keys;
mod make;
mod output;
mod piece;
pub mod pings;
mod polled;
mod pongs;
mod prepare;
pub mod protocol;
pub mod reader;
mod reading;
mod reads;
pub mod receive;
mod resting;
mod room;
pub mod send;
pub mod sending;
pub mod sent;
pub mod settle;
pub mod state;
pub mod take;
pub mod thread;
mod transport;
mod typed;
pub mod unawaited;
mod wake;
mod waking;
mod writing;
