//! A message that is sent in fragments, and those who wait for its end.

use pyo3::prelude::*;

use super::sent::Sent;
use super::settle::settle;
use super::state::Protocol;
use super::thread::Place;
use super::{send, transport};
use crate::python::cpython::{call, names};
use crate::python::values::payload;
use crate::registry::Opcode;

/// Begin a text or binary message, unless another is under way: then returns a future of its end.
pub fn begin(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    checks: bool,
) -> PyResult<Option<Py<PyAny>>> {
    let turn = wait_turn(slf, opcode)?;
    if turn.is_none() {
        slf.borrow_mut().endpoint.begin_message(opcode, checks);
    }
    Ok(turn)
}

/// A future of the end of the message that is under way, or of what waits for room; `None` if there is
/// neither.
///
/// # Errors
/// Nothing can be sent, or not here.
pub fn wait_turn(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<Option<Py<PyAny>>> {
    send::check_place(slf, opcode)?;
    send::check_open(slf, opcode)?;
    let (in_message, waits) = {
        let me = slf.borrow();
        (me.endpoint.is_in_message(), me.transport.backlog.is_waiting())
    };
    if in_message {
        transport::wait_turn(slf).map(Some)
    } else if waits {
        transport::wait_writable(slf)
    } else {
        Ok(None)
    }
}

/// Send the next fragment, the last with `fin`.
pub fn send_next(
    slf: &Bound<'_, Protocol>,
    data: &Bound<'_, PyAny>,
    fin: bool,
) -> PyResult<Py<Sent>> {
    let payload = payload::binary(data)?;
    send::send_fragment(slf, &payload, fin)?;
    {
        let mut me = slf.borrow_mut();
        let (endpoint, mut making) = me.at_work(slf.py());
        endpoint.fragment_written(payload.len(), fin, &mut making);
    }
    settle(slf)?;
    Sent::after_write(slf, Opcode::Continuation)
}

/// The message cannot be finished: the connection ends, unless nothing of it has left.
pub fn break_off(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let home = slf.borrow().home.clone();
    match home.place(py) {
        Ok(Place::Here) => {}
        Ok(Place::Elsewhere) => {
            // The garbage collector may have closed the coroutine, in any thread.
            let again = slf.getattr(names::break_off(py))?;
            let event_loop = home.event_loop(py);
            call::method(&event_loop, names::call_soon_threadsafe(py), [&again])?;
            return Ok(());
        }
        Ok(Place::LoopClosed) | Err(_) => return Ok(()),
    }
    {
        let mut me = slf.borrow_mut();
        let waits = me.reader.is_some();
        let (endpoint, mut making) = me.at_work(py);
        endpoint.break_off(waits, &mut making);
    }
    settle(slf)
}
