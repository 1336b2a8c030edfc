//! Sending: one buffer for each frame, written at once.

use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::settle::settle;
use super::state::Protocol;
use super::thread::{self, Place};
use super::{failure, transport};
use crate::deflate::RSV1;
use crate::frame::{self, Header};
use crate::keys;
use crate::python::cpython::memory;
use crate::python::socket::Socket;
use crate::python::socket::write::{self, Failed};
use crate::python::values::errors;
use crate::registry::Opcode;

/// Write one frame.
#[inline]
pub fn send(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<()> {
    let socket = free_socket(slf)?;
    permit(slf, opcode, payload.len())?;
    send_frame(slf, socket, opcode, 0, payload)
}

/// Send a ping or a pong.
pub fn send_control(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<()> {
    let socket = free_socket(slf)?;
    if opcode == Opcode::Ping && slf.borrow().endpoint.is_open() {
        let known = slf.borrow_mut().endpoint.pinging(payload, Instant::now(), false);
        known.map_err(|_| memory::exhausted(slf.py()))?;
    }
    permit(slf, opcode, payload.len())?;
    send_frame(slf, socket, opcode, 0, payload)
}

/// Send a data message, compressed (RFC 7692) if the connection does that and `wanted` does not forbid it.
pub fn send_compressed(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> PyResult<()> {
    let socket = free_socket(slf)?;
    permit(slf, opcode, payload.len())?;
    let compressed = slf.borrow_mut().endpoint.compress(payload, wanted);
    let Some(compressed) = compressed else {
        return send_frame(slf, socket, opcode, 0, payload);
    };
    let sent = send_frame(slf, socket, opcode, RSV1, &compressed);
    let (plain, size) = (payload.len(), compressed.len());
    slf.borrow_mut().endpoint.compressed(plain, size, sent.is_ok());
    sent
}

/// The socket to send the next frame to past the transport, if there is one and nothing has to go
/// before. Asked first: Python code may run meanwhile, and send another frame.
#[inline]
fn free_socket(slf: &Bound<'_, Protocol>) -> PyResult<Option<Socket>> {
    let socket = slf.borrow().transport.socket;
    Ok(if socket.is_some() && transport::is_drained(slf)? { socket } else { None })
}

/// Check that a frame for `size` bytes can be sent now, and count it.
#[inline]
fn permit(slf: &Bound<'_, Protocol>, opcode: Opcode, size: usize) -> PyResult<()> {
    if slf.borrow_mut().endpoint.permit(opcode, size) {
        return Ok(());
    }
    Err(not_open(slf, &format!("a {opcode} frame")))
}

/// The part of [`send`] after [`permit`], for a frame with the reserved bits `rsv`.
fn send_frame(
    slf: &Bound<'_, Protocol>,
    socket: Option<Socket>,
    opcode: Opcode,
    rsv: u8,
    payload: &[u8],
) -> PyResult<()> {
    let py = slf.py();
    let key = keys::draw().map_err(errors::no_entropy)?;
    let header = Header { rsv, ..Header::new(opcode, payload.len(), Some(key)) };
    if let Some(socket) = socket {
        return match write::send_frame(py, socket, &header, payload, key) {
            Ok(None) => Ok(()),
            Ok(Some(rest)) => give(slf, opcode, rest.bind(py)),
            Err(Failed { error, cut: false }) => Err(error),
            Err(Failed { error, cut: true }) => Err(cut_off(slf, error)?),
        };
    }
    let frame = PyBytes::new_with(py, header.encoded_len() + payload.len(), |out| {
        frame::write_frame(&header, payload, out);
        Ok(())
    })?;
    give(slf, opcode, &frame)
}

/// Refuse a connection that nothing can be sent on.
pub fn check_open(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
    if slf.borrow().endpoint.is_open() {
        return Ok(());
    }
    Err(not_open(slf, &format!("a {opcode} frame")))
}

/// Give a frame to the transport, which may find, or have found, that it cannot write any more: who
/// sends in a loop that never waits would not be told by the event loop.
fn give(slf: &Bound<'_, Protocol>, opcode: Opcode, frame: &Bound<'_, PyBytes>) -> PyResult<()> {
    if let Err(error) = transport::write(slf, frame) {
        return Err(cut_off(slf, error)?);
    }
    if transport::is_severed(slf)? {
        slf.borrow_mut().endpoint.sever();
        return Err(not_open(slf, &format!("a {opcode} frame")));
    }
    Ok(())
}

/// A part of a frame may have left. Drops the connection, and returns the error, which is for the sender,
/// too.
#[cold]
fn cut_off(slf: &Bound<'_, Protocol>, error: PyErr) -> PyResult<PyErr> {
    failure::cut_off(slf, &error);
    settle(slf)?;
    Ok(error)
}

/// Something was to be sent, but the connection has ended or is about to.
#[cold]
pub fn not_open(slf: &Bound<'_, Protocol>, doing: &str) -> PyErr {
    // Not while it is borrowed: where an exception is made, Python code may run.
    let (why, dialect) = {
        let me = slf.borrow();
        (why_not_open(&me), me.dialect(slf.py()))
    };
    errors::not_open(slf.py(), doing, &why, dialect.as_ref())
}

/// What has become of a connection that is not open, as errors say it.
pub fn why_not_open(me: &Protocol) -> String {
    match me.endpoint.fate() {
        Some(fate) => {
            let (code, reason) = (fate.code(), fate.reason());
            if reason.is_empty() {
                format!("closed with code {code}")
            } else {
                format!("closed with code {code} ({reason})")
            }
        }
        None if me.endpoint.is_called() && !me.is_lost() => {
            "closing, close() was called".to_owned()
        }
        None => "lost".to_owned(),
    }
}

/// Something was to be sent, but the event loop is closed.
#[cold]
pub fn loop_closed(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyErr {
    let dialect = slf.borrow().dialect(slf.py());
    errors::loop_closed(slf.py(), opcode, dialect.as_ref())
}

/// Refuse another thread than the event loop's, and a closed loop, when a frame is to be sent.
pub fn check_place(protocol: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
    let home = protocol.borrow().home.clone();
    match home.place(protocol.py())? {
        Place::Here => Ok(()),
        Place::Elsewhere => Err(thread::elsewhere("send")),
        Place::LoopClosed => Err(loop_closed(protocol, opcode)),
    }
}
