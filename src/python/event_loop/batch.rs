//! `send_many()`: messages that are written together, in pieces, as the transport has room for them.

use std::collections::VecDeque;

use pyo3::prelude::*;

use super::send::{self, Refusal};
use super::state::Protocol;
use super::{failure, output};
use crate::python::cpython::memory;
use crate::python::values::outgoing::Messages;
use crate::registry::Opcode;

/// What is sent, as errors say it.
const MESSAGES: &str = "messages";

/// Send these messages, one frame each. Returns the number of the call if some wait for room.
///
/// # Errors
/// The connection is not open, or a message cannot be sent; those after it are not sent, either.
pub fn send_many(slf: &Bound<'_, Protocol>, mut messages: Messages) -> PyResult<Option<u64>> {
    let py = slf.py();
    if !slf.borrow().endpoint.is_open() {
        return Err(failure::not_open(slf, MESSAGES));
    }
    if messages.all.is_empty() {
        return Ok(None);
    }
    let waits = slf.borrow_mut().transport.backlog.wait(&mut messages);
    let call = waits.map_err(|_| memory::exhausted(py))?;
    let written = go_on(slf, false);
    if !matches!(written, Ok(true)) {
        take_back(slf, call);
        return Err(written.err().unwrap_or_else(|| failure::not_open(slf, MESSAGES)));
    }
    let me = slf.borrow();
    Ok(me.transport.backlog.last().filter(|last| *last >= call).map(|_| call))
}

/// Write what waits, while the transport has room for it; or all of it. Returns whether the connection is
/// open for it.
///
/// What a call writes may come here again: then that goes on, behind what is being written.
fn go_on(slf: &Bound<'_, Protocol>, at_once: bool) -> PyResult<bool> {
    loop {
        {
            let me = slf.borrow();
            let room = at_once || !me.endpoint.is_writing_paused();
            if !room || !me.transport.backlog.is_waiting() {
                return Ok(true);
            }
        }
        if !write_piece(slf)? {
            return Ok(false);
        }
    }
}

/// Write as many messages as go into a piece, or one that does not. Returns whether that was possible.
fn write_piece(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    let py = slf.py();
    if slf.borrow().transport.backlog.corks > 0 {
        output::arrange(slf)?;
    }
    let socket = output::free_socket(slf)?;
    if !slf.borrow().endpoint.is_open() {
        return Ok(false);
    }
    // What ran meanwhile may have written all of it.
    if !slf.borrow().transport.backlog.is_waiting() {
        return Ok(true);
    }
    // From here on no Python code runs before the piece is written, but what is sent is dropped later.
    let mut sent = VecDeque::new();
    let (built, is_large, stays) = {
        let me = &mut *slf.borrow_mut();
        let next = me.transport.backlog.next(py);
        let reserved = sent.try_reserve(next.count.max(1));
        reserved
            .and_then(|()| me.transport.backlog.piece.reserve(next.size))
            .map_err(|_| memory::exhausted(py))?;
        let waiting = me.transport.backlog.lend();
        let (mut count, mut size) = (0, 0);
        let mut built = Ok(());
        while count < next.count && built.is_ok() {
            let message = &waiting[count];
            built = message.payload(py).map_or(Err((Opcode::Text, Refusal::NoMemory)), |payload| {
                let opcode = message.opcode();
                size += payload.len();
                let gathered = send::gather(me, py, opcode, payload, message.compress());
                gathered.map_err(|refusal| (opcode, refusal))
            });
            count += 1;
        }
        // A large one comes alone.
        let is_large = next.count == 0 && me.transport.backlog.piece.is_empty();
        if is_large {
            (count, size) = (1, waiting[0].len(py));
        }
        me.transport.backlog.put_back(waiting, count, size, &mut sent);
        let backlog = &me.transport.backlog;
        (built, is_large, backlog.corks > 0 && !backlog.is_waiting())
    };
    if is_large {
        let message = &sent[0];
        let payload = message.payload(py)?;
        return send::send_free(slf, socket, message.opcode(), payload, message.compress())
            .map(|()| true);
    }
    let written = if stays { Ok(()) } else { output::write_gathered(slf, socket) };
    drop(sent);
    written?;
    built.map(|()| true).map_err(|(opcode, refusal)| send::refused(slf, opcode, refusal))
}

/// The transport has room again.
pub fn resume(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    go_on_or_lose(slf, false)
}

/// This side is going to close: what was sent before goes before.
pub fn push(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    go_on_or_lose(slf, true)
}

/// The same for whoever did not send it. What there is no connection for any more is dropped; what was
/// written before that still leaves.
fn go_on_or_lose(slf: &Bound<'_, Protocol>, at_once: bool) -> PyResult<()> {
    let written = go_on(slf, at_once);
    if let Ok(false) = written {
        let lost = slf.borrow_mut().transport.backlog.lose_waiting();
        drop(lost);
    }
    output::tell_connection(slf, written.map(drop))
}

/// What waits of a call's messages is not to be sent.
pub fn take_back(slf: &Bound<'_, Protocol>, call: u64) {
    let taken = slf.borrow_mut().transport.backlog.take_back(slf.py(), call);
    drop(taken);
}

/// Whether all messages of a call were sent.
///
/// # Errors
/// They were not, and will not be.
pub fn check_sent(slf: &Bound<'_, Protocol>, call: u64) -> PyResult<()> {
    if slf.borrow().transport.backlog.has_lost(call) {
        return Err(failure::not_open(slf, "more"));
    }
    Ok(())
}
