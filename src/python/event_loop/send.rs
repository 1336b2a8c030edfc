//! Sending: one buffer for each frame, written at once.

use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::output::{self, free_socket};
use super::state::Protocol;
use super::thread::{self, Home, Place};
use super::{failure, piece};
use crate::deflate::RSV1;
use crate::frame::{self, Header};
use crate::keys;
use crate::python::cpython::memory;
use crate::python::socket::Socket;
use crate::python::socket::write::{self, Failed};
use crate::python::values::errors;
use crate::python::values::outgoing::Outgoing;
use crate::registry::Opcode;
use crate::utf8::InvalidUtf8;

/// Where a frame goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the socket if it is to be used past the transport, else to the transport.
    Free(Option<Socket>),
    /// Behind the message whose fragments are being sent.
    Held,
    /// Into the piece that is written as one.
    Gathered,
    /// Behind messages that wait for room, unbuilt.
    Queued,
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
    let way = way(slf, opcode, payload.len())?;
    let Way::Free(_) = way else {
        return send_behind(slf, way, opcode, payload, None);
    };
    let way = permit(slf, way, opcode, payload)?;
    send_frame(slf, way, opcode, WHOLE, payload)
}

/// Send a ping or a pong.
pub fn send_control(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<()> {
    let way = way(slf, opcode, payload.len())?;
    if opcode == Opcode::Ping && slf.borrow().endpoint.is_open() {
        let known = slf.borrow_mut().endpoint.pinging(payload, Instant::now(), false);
        known.map_err(|_| memory::exhausted(slf.py()))?;
    }
    let Way::Free(_) = way else {
        return send_behind(slf, way, opcode, payload, None);
    };
    let way = permit(slf, way, opcode, payload)?;
    send_frame(slf, way, opcode, WHOLE, payload)
}

/// Send the next fragment of the message under way, the last with `fin`.
pub fn send_fragment(slf: &Bound<'_, Protocol>, payload: &[u8], fin: bool) -> PyResult<()> {
    output::flush(slf)?;
    let socket = free_socket(slf)?;
    let permitted = slf.borrow_mut().endpoint.permit_fragment(payload, fin);
    let opcode = permitted.map_err(|InvalidUtf8(place)| {
        let text = format!("the fragments are not UTF-8, as text must be, at byte {place}");
        PyValueError::new_err(text)
    })?;
    let Some(opcode) = opcode else {
        return Err(failure::not_open(slf, "a fragment"));
    };
    if let Some(record) = &mut slf.borrow_mut().maker.record {
        record.sends_part(slf.py(), opcode, payload, fin);
    }
    send_frame(slf, Way::Free(socket), opcode, Bits { fin, rsv: 0 }, payload)
}

/// Send a data message, compressed (RFC 7692) if the connection does that and `wanted` does not forbid it.
pub fn send_compressed(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> PyResult<()> {
    match way(slf, opcode, payload.len())? {
        Way::Free(socket) => send_free(slf, socket, opcode, payload, wanted),
        way => send_behind(slf, way, opcode, payload, wanted),
    }
}

/// The same where nothing has to go before.
pub fn send_free(
    slf: &Bound<'_, Protocol>,
    socket: Option<Socket>,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> PyResult<()> {
    let way = Way::Free(socket);
    let way = permit(slf, way, opcode, payload)?;
    let compressed = slf.borrow_mut().endpoint.compress(payload, wanted);
    let Some(compressed) = compressed else {
        return send_frame(slf, way, opcode, WHOLE, payload);
    };
    let sent = send_frame(slf, way, opcode, Bits { rsv: RSV1, ..WHOLE }, &compressed);
    let (plain, size) = (payload.len(), compressed.len());
    slf.borrow_mut().endpoint.compressed(plain, size, sent.is_ok());
    sent
}

/// Where the next frame goes, with `size` bytes of payload. Asked first, as for [`free_socket`].
#[inline]
fn way(slf: &Bound<'_, Protocol>, opcode: Opcode, size: usize) -> PyResult<Way> {
    if slf.borrow().transport.backlog.is_idle() {
        free_socket(slf).map(Way::Free)
    } else {
        way_behind(slf, opcode, size)
    }
}

/// The same where something has to go before, or to go with it.
#[cold]
fn way_behind(slf: &Bound<'_, Protocol>, opcode: Opcode, size: usize) -> PyResult<Way> {
    let gathers = {
        let backlog = &slf.borrow().transport.backlog;
        if backlog.is_waiting() && !opcode.is_control() {
            return Ok(Way::Queued);
        }
        backlog.corks > 0 && backlog.piece.fits(size)
    };
    if !gathers {
        output::flush(slf)?;
    }
    if slf.borrow().transport.backlog.corks == 0 || size >= piece::SIZE {
        return free_socket(slf).map(Way::Free);
    }
    output::arrange(slf)?;
    Ok(Way::Gathered)
}

/// Send what goes into the piece that is written as one, or has to wait behind messages that there is no
/// room for.
#[cold]
fn send_behind(
    slf: &Bound<'_, Protocol>,
    way: Way,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> PyResult<()> {
    if way == Way::Gathered {
        let gathered = gather(&mut slf.borrow_mut(), slf.py(), opcode, payload, wanted);
        return gathered.map_err(|refusal| refused(slf, opcode, refusal));
    }
    check_open(slf, opcode)?;
    let message = Outgoing::copy(slf.py(), opcode, payload, wanted)?;
    slf.borrow_mut()
        .transport
        .backlog
        .push(slf.py(), message)
        .map_err(|_| memory::exhausted(slf.py()))
}

/// Why a frame could not be built.
pub enum Refusal {
    NotOpen,
    NoMemory,
    NoKey(getrandom::Error),
}

/// The error for that.
#[cold]
pub fn refused(slf: &Bound<'_, Protocol>, opcode: Opcode, refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::NotOpen => failure::not_open(slf, &format!("a {opcode} frame")),
        Refusal::NoMemory => memory::exhausted(slf.py()),
        Refusal::NoKey(error) => errors::no_entropy(error),
    }
}

/// Build a frame into the piece that is written as one, or behind the message whose fragments are being
/// sent; compressed as by [`send_compressed`]. Runs no Python code.
#[inline]
pub fn gather(
    me: &mut Protocol,
    py: Python<'_>,
    opcode: Opcode,
    payload: &[u8],
    wanted: Option<bool>,
) -> Result<(), Refusal> {
    if !me.endpoint.permit(opcode, payload.len()) {
        return Err(Refusal::NotOpen);
    }
    if let Some(record) = &mut me.maker.record {
        record.sends(py, opcode, payload);
    }
    let compressed = if opcode.is_control() { None } else { me.endpoint.compress(payload, wanted) };
    let Some(compressed) = compressed else {
        return append(me, opcode, WHOLE, payload);
    };
    let built = append(me, opcode, Bits { rsv: RSV1, ..WHOLE }, &compressed);
    me.endpoint.compressed(payload.len(), compressed.len(), built.is_ok());
    built
}

#[inline]
fn append(
    me: &mut Protocol,
    opcode: Opcode,
    Bits { fin, rsv }: Bits,
    payload: &[u8],
) -> Result<(), Refusal> {
    let key = keys::draw().map_err(Refusal::NoKey)?;
    let header = Header { fin, rsv, ..Header::new(opcode, payload.len(), Some(key)) };
    if me.endpoint.holds(opcode) {
        return me.endpoint.hold_back(&header, payload).map_err(|_| Refusal::NoMemory);
    }
    me.transport.backlog.piece.push(&header, payload).map_err(|_| Refusal::NoMemory)
}

/// Refuse a connection that nothing can be sent on.
pub fn check_open(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
    if slf.borrow().endpoint.is_open() {
        return Ok(());
    }
    Err(failure::not_open(slf, &format!("a {opcode} frame")))
}

/// Check that a frame with this payload can be sent now, and count it; returns its way.
#[inline]
fn permit(slf: &Bound<'_, Protocol>, way: Way, opcode: Opcode, payload: &[u8]) -> PyResult<Way> {
    let mut me = slf.borrow_mut();
    if me.endpoint.permit(opcode, payload.len()) {
        if let Some(record) = &mut me.maker.record {
            record.sends(slf.py(), opcode, payload);
        }
        return Ok(if me.endpoint.holds(opcode) { Way::Held } else { way });
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
            Ok(Some(rest)) => output::give(slf, opcode, rest.bind(py)),
            Err(Failed { error, cut: false }) => Err(error),
            Err(Failed { error, cut: true }) => Err(output::cut_off(slf, error)?),
        };
    }
    let frame = PyBytes::new_with(py, header.encoded_len() + payload.len(), |out| {
        frame::write_frame(&header, payload, out);
        Ok(())
    })?;
    output::give(slf, opcode, &frame)
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
    check_home(&home, protocol, opcode)
}

/// The same, for whoever may be in another thread: without the GIL, that must not look at the connection.
pub fn check_home(home: &Home, protocol: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
    match home.place(protocol.py())? {
        Place::Here => Ok(()),
        Place::Elsewhere => Err(thread::elsewhere("send")),
        Place::LoopClosed => Err(loop_closed(protocol, opcode)),
    }
}
