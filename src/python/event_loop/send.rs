//! Sending: one buffer for each frame, written at once.

use std::time::Instant;

use pyo3::exceptions::PyValueError;
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
use crate::utf8::InvalidUtf8;

/// Where a frame goes.
#[derive(Clone, Copy)]
enum Way {
    /// To the socket if it is to be used past the transport, else to the transport.
    Free(Option<Socket>),
    /// Behind the message whose fragments are being sent.
    Held,
}

/// Those at the start of a frame (§5.2).
#[derive(Clone, Copy)]
struct Bits {
    fin: bool,
    rsv: u8,
}

/// Of a message in one frame, not compressed, and of a control frame.
const WHOLE: Bits = Bits { fin: true, rsv: 0 };

/// Write one frame.
#[inline]
pub fn send(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<()> {
    let socket = free_socket(slf)?;
    let way = permit(slf, socket, opcode, payload.len())?;
    send_frame(slf, way, opcode, WHOLE, payload)
}

/// Send a ping or a pong.
pub fn send_control(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<()> {
    let socket = free_socket(slf)?;
    if opcode == Opcode::Ping && slf.borrow().endpoint.is_open() {
        let known = slf.borrow_mut().endpoint.pinging(payload, Instant::now(), false);
        known.map_err(|_| memory::exhausted(slf.py()))?;
    }
    let way = permit(slf, socket, opcode, payload.len())?;
    send_frame(slf, way, opcode, WHOLE, payload)
}

/// Send the next fragment of the message under way, the last with `fin`.
pub fn send_fragment(slf: &Bound<'_, Protocol>, payload: &[u8], fin: bool) -> PyResult<()> {
    let socket = free_socket(slf)?;
    let permitted = slf.borrow_mut().endpoint.permit_fragment(payload, fin);
    let opcode = permitted.map_err(|InvalidUtf8(place)| {
        let text = format!("the fragments are not UTF-8, as text must be, at byte {place}");
        PyValueError::new_err(text)
    })?;
    let Some(opcode) = opcode else {
        return Err(failure::not_open(slf, "a fragment"));
    };
    send_frame(slf, Way::Free(socket), opcode, Bits { fin, rsv: 0 }, payload)
}

/// Send a data message, compressed (RFC 7692) if the connection does that and `wanted` does not forbid it.
pub fn send_compressed(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> PyResult<()> {
    let socket = free_socket(slf)?;
    let way = permit(slf, socket, opcode, payload.len())?;
    let compressed = slf.borrow_mut().endpoint.compress(payload, wanted);
    let Some(compressed) = compressed else {
        return send_frame(slf, way, opcode, WHOLE, payload);
    };
    let sent = send_frame(slf, way, opcode, Bits { rsv: RSV1, ..WHOLE }, &compressed);
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

/// Refuse a connection that nothing can be sent on.
pub fn check_open(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
    if slf.borrow().endpoint.is_open() {
        return Ok(());
    }
    Err(failure::not_open(slf, &format!("a {opcode} frame")))
}

/// Check that a frame for `size` bytes can be sent now, and count it.
#[inline]
fn permit(
    slf: &Bound<'_, Protocol>,
    socket: Option<Socket>,
    opcode: Opcode,
    size: usize,
) -> PyResult<Way> {
    let mut me = slf.borrow_mut();
    if me.endpoint.permit(opcode, size) {
        return Ok(if me.endpoint.holds(opcode) { Way::Held } else { Way::Free(socket) });
    }
    drop(me);
    Err(failure::not_open(slf, &format!("a {opcode} frame")))
}

/// The part of [`send`] after [`permit`].
fn send_frame(
    slf: &Bound<'_, Protocol>,
    way: Way,
    opcode: Opcode,
    Bits { fin, rsv }: Bits,
    payload: &[u8],
) -> PyResult<()> {
    let py = slf.py();
    let key = keys::draw().map_err(errors::no_entropy)?;
    let header = Header { fin, rsv, ..Header::new(opcode, payload.len(), Some(key)) };
    let Way::Free(socket) = way else {
        let held = slf.borrow_mut().endpoint.hold_back(&header, payload);
        return held.map_err(|_| memory::exhausted(py));
    };
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

/// Give a frame to the transport, which may find, or have found, that it cannot write any more: who
/// sends in a loop that never waits would not be told by the event loop.
fn give(slf: &Bound<'_, Protocol>, opcode: Opcode, frame: &Bound<'_, PyBytes>) -> PyResult<()> {
    if let Err(error) = transport::write(slf, frame) {
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
fn cut_off(slf: &Bound<'_, Protocol>, error: PyErr) -> PyResult<PyErr> {
    failure::cut_off(slf, &error);
    settle(slf)?;
    Ok(error)
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
