//! Whole frames on their way to the socket, each for itself or gathered.

use std::mem;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::settle::settle;
use super::state::Protocol;
use super::{failure, resting, transport};
use crate::python::cpython::{call, memory, names};
use crate::python::socket::Socket;
use crate::registry::Opcode;

/// The socket to send the next frame to past the transport, if there is one and nothing has to go
/// before. Asked first: Python code may run meanwhile, and send another frame.
#[inline]
pub fn free_socket(slf: &Bound<'_, Protocol>) -> PyResult<Option<Socket>> {
    let socket = slf.borrow().transport.socket;
    Ok(if socket.is_some() && transport::is_drained(slf)? { socket } else { None })
}

/// Give whole frames to the transport, which may find, or have found, that it cannot write any more: who
/// sends in a loop that never waits would not be told by the event loop.
pub fn give(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    frames: &Bound<'_, PyBytes>,
) -> PyResult<()> {
    if let Err(error) = transport::write(slf, frames) {
        return Err(cut_off(slf, error)?);
    }
    if transport::is_severed(slf)? {
        slf.borrow_mut().endpoint.sever();
        return Err(failure::not_open(slf, &format!("a {opcode} frame")));
    }
    Ok(())
}

/// A part of a frame may have left. Drops the connection, and returns the error, which is for the sender,
/// too.
#[cold]
pub fn cut_off(slf: &Bound<'_, Protocol>, error: PyErr) -> PyResult<PyErr> {
    failure::cut_off(slf, &error);
    settle(slf)?;
    Ok(error)
}

/// Let what is gathered be written when the task sleeps that a message has woken, or else by the event loop
/// in its next turn: nobody waits in vain for the answer to a message that is not written.
pub fn arrange(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let event_loop = {
        let mut me = slf.borrow_mut();
        if mem::replace(&mut me.transport.backlog.arranged, true) {
            return Ok(());
        }
        if me.home.is_awake() {
            let arranged = resting::add(slf);
            me.transport.backlog.arranged = arranged.is_ok();
            return arranged.map_err(|_| memory::exhausted(py));
        }
        me.event_loop(py)
    };
    let arranged = slf
        .getattr(names::_write_gathered(py))
        .and_then(|write| call::method(&event_loop, names::call_soon(py), [&write]));
    arranged.map(drop).inspect_err(|_| slf.borrow_mut().transport.backlog.arranged = false)
}

/// Write what is gathered.
pub fn flush(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    if slf.borrow().transport.backlog.piece.is_empty() {
        return Ok(());
    }
    let socket = free_socket(slf)?;
    write_gathered(slf, socket)
}

/// The same to the socket if it is free.
pub fn write_gathered(slf: &Bound<'_, Protocol>, socket: Option<Socket>) -> PyResult<()> {
    let piece = mem::take(&mut slf.borrow_mut().transport.backlog.piece);
    if piece.is_empty() {
        return Ok(());
    }
    let frames = piece.as_slice();
    let sent = socket.map_or(0, |socket| socket.send(frames));
    if sent == frames.len() {
        piece.finish();
        return Ok(());
    }
    let rest = memory::bytes(slf.py(), &frames[sent..]);
    piece.finish();
    match rest {
        Ok(rest) => give(slf, Opcode::Text, &rest),
        Err(error) => Err(cut_off(slf, error)?),
    }
}

/// The time has come to write what is gathered. Errors are the connection's end, as nobody is there
/// to be told.
pub fn write_arranged(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    {
        let mut me = slf.borrow_mut();
        me.transport.backlog.arranged = false;
        // What is gathered is for the parent to write, if this is a fork's child.
        if me.home.is_copy() {
            return Ok(());
        }
    }
    let written = flush(slf);
    tell_connection(slf, written)
}

/// What was to be written and could not be is the connection's end. Returns what is more than that: what
/// ends the loop.
pub fn tell_connection(slf: &Bound<'_, Protocol>, written: PyResult<()>) -> PyResult<()> {
    let Err(error) = written else {
        return Ok(());
    };
    let lost = slf.borrow_mut().transport.backlog.lose();
    drop(lost);
    let error = cut_off(slf, error)?;
    if error.is_instance_of::<PyException>(slf.py()) { Ok(()) } else { Err(error) }
}
