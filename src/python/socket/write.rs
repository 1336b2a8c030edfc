//! A frame, from the buffer that it is built in straight to the socket. The transport would do the same;
//! its part costs 500 instructions a frame. What the socket does not take at once is the transport's to
//! queue.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::system::Socket;
use crate::frame::Header;
use crate::mask::{self, Key};
use crate::python::cpython::memory;

/// Payload bytes that are masked and sent at a time, a multiple of the key's length. It bounds the
/// buffer, which stays for the next message; smaller pieces of 1 MiB cost the kernel half as much
/// again, with a receiver on another core (128 KiB: 405 us, 1 MiB: 230 us).
const PIECE: usize = 1024 * 1024;

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
