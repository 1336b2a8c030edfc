//! Past the transport: while a plain TCP transport has nothing queued, a frame can go from the
//! buffer it is built in straight to the socket, and what arrives straight from the socket to the
//! parser. The transport would do the same; its part costs 500 instructions a frame sent, and 900
//! a read, where it calls the protocol twice.
//!
//! The transport keeps all that is rare: what the socket does not take at once is its to queue, and
//! pausing, closing and losing the connection stay its affair.

use std::cell::RefCell;
use std::io;
use std::ptr;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::gathering::Gathering;
use super::protocol::Protocol;
use super::settle::settle;
use super::socket::Socket;
use super::{closing, error, memory, names, scratch};
use crate::frame::Header;
use crate::mask::{self, Key};

/// Payload bytes that are masked and sent at a time, a multiple of the key's length. It bounds the
/// buffer, which stays for the next message; smaller pieces of 1 MiB cost the kernel half as much
/// again, with a receiver on another core (128 KiB: 405 us, 1 MiB: 230 us).
const PIECE: usize = 1024 * 1024;

/// Bytes that may be read past the end of a large message.
const AFTER_LARGE: usize = 16 * 1024;

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A frame could not be sent.
pub struct Failed {
    pub error: PyErr,
    /// A part of it has left, and the rest is lost.
    pub cut: bool,
}

/// Build a frame and send what of it the socket takes; returns the rest, if there is one.
pub fn send_frame(
    py: Python<'_>,
    socket: Socket,
    header: &Header,
    payload: &[u8],
    key: Key,
) -> Result<Option<Py<PyBytes>>, Failed> {
    FRAME.with_borrow_mut(|buffer| {
        let needed = header.encoded_len() + payload.len().min(PIECE);
        if buffer.len() < needed {
            if buffer.try_reserve_exact(needed - buffer.len()).is_err() {
                return Err(Failed { error: memory::exhausted(py), cut: false });
            }
            buffer.resize(needed, 0);
        }
        let (mut built, mut left) = (header.write(buffer), payload);
        loop {
            let (piece, more) = left.split_at(left.len().min(PIECE));
            mask::copy(&mut buffer[built..built + piece.len()], piece, key);
            built += piece.len();
            let sent = socket.send(&buffer[..built]);
            if sent < built {
                let unsent = &buffer[sent..built];
                let rest = PyBytes::new_with(py, unsent.len() + more.len(), |out| {
                    let (first, second) = out.split_at_mut(unsent.len());
                    first.copy_from_slice(unsent);
                    mask::copy(second, more, key);
                    Ok(())
                });
                return match rest {
                    Ok(rest) => Ok(Some(rest.unbind())),
                    Err(error) => {
                        Err(Failed { error, cut: sent > 0 || left.len() < payload.len() })
                    }
                };
            }
            if more.is_empty() {
                return Ok(None);
            }
            (built, left) = (0, more);
        }
    })
}

/// Read the socket once; the loop calls again if there is more.
pub fn read_ready(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let received = scratch::with(py, |buffer| {
        let mut me = slf.borrow_mut();
        // What comes is for the parent, if the child of a fork lets the loop run on.
        let socket = me.flow.socket.filter(|_| !me.is_copy())?;
        me.reads.note(py);
        Some(me.read(py, socket, buffer))
    })?;
    let Some(received) = received else {
        return Ok(());
    };
    match received {
        Ok(0) => end_of_file(slf),
        Ok(_) => settle(slf),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(())
        }
        Err(error) => failed(slf, &error),
    }
}

impl Protocol {
    /// Receive once and parse. A large message under way is received to its place, and what follows
    /// it to `buffer`.
    fn read(&mut self, py: Python<'_>, socket: Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let place = self.gathering.as_mut().map_or((ptr::null_mut(), 0), Gathering::rest);
        // What follows a large message may be another one, for which the buffer is a detour.
        let after = if place.1 == 0 { scratch::SIZE } else { AFTER_LARGE };
        let buffer = &mut buffer[..after];
        // SAFETY: a large message knows where the rest of it goes.
        let received = unsafe { socket.receive(place, buffer)? };
        let placed = received.min(place.1);
        if let Some(gathering) = &mut self.gathering {
            // SAFETY: they were received a moment ago.
            unsafe { gathering.written(placed) };
            self.core.gathered(placed);
            self.finish_gathering(py);
        }
        self.ingest(py, &buffer[..received - placed]);
        Ok(received)
    }
}

/// What a transport does when it reads the end.
fn end_of_file(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    closing::end_of_file(slf)?;
    closing::call_transport(slf, names::close(slf.py()))
}

/// What a transport does when it cannot read.
fn failed(slf: &Bound<'_, Protocol>, cause: &io::Error) -> PyResult<()> {
    let cause = error::from_system(slf.py(), cause)?;
    closing::fail_by(slf, cause);
    settle(slf)
}
