//! The bytes that Python's objects stand for.

use std::borrow::Cow;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

use crate::close;
use crate::frame::MAX_CONTROL_PAYLOAD;
use crate::python::cpython::{call, memory, names};
use crate::registry::Opcode;

/// The bytes of a binary message.
pub fn binary<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    // Copied, because its owner may change or shrink it while it is read.
    if data.is_instance_of::<PyByteArray>() {
        let buffer = PyBuffer::<u8>::get(data)?;
        let mut copy = memory::zeroed(data.py(), buffer.len_bytes())?;
        buffer.copy_to_slice(data.py(), &mut copy)?;
        return Ok(copy.into());
    }
    if data.is_instance_of::<PyMemoryView>() {
        let bytes = call::method(data, names::tobytes(data.py()), [])?;
        return memory::copy(data.py(), bytes.cast::<PyBytes>()?.as_bytes()).map(Cow::from);
    }
    Err(expected("data", "bytes, bytearray or memoryview", data))
}

/// The text of a text message, as UTF-8.
pub fn text<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    data.cast::<PyString>().map_err(|_| expected("data", "str", data))?.to_str()
}

/// The payload of a ping or pong, or a close reason: `str` or what [`binary`] takes.
pub fn control_payload<'a>(message: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = message.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes().into());
    }
    binary(message).map_err(|error| {
        if error.is_instance_of::<PyTypeError>(message.py()) {
            expected("message", "str, bytes, bytearray or memoryview", message)
        } else {
            error
        }
    })
}

/// A close code; an integer that is none is refused like a code that must not be sent.
pub fn close_code(code: &Bound<'_, PyAny>) -> PyResult<u16> {
    code.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(code.py()) {
            PyValueError::new_err(close::not_sendable(code))
        } else {
            error
        }
    })
}

/// Whether this is a message, and not an iterable of such.
pub fn is_one_message(data: &Bound<'_, PyAny>) -> bool {
    data.is_instance_of::<PyString>()
        || data.is_instance_of::<PyBytes>()
        || data.is_instance_of::<PyByteArray>()
        || data.is_instance_of::<PyMemoryView>()
}

/// The error for an argument of another type.
pub fn expected(name: &str, types: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type();
    PyTypeError::new_err(format!("{name} must be {types}, not {found}"))
}

/// The payload of a ping or pong, which must be short.
pub fn ping_payload<'a>(
    opcode: Opcode,
    message: Option<&'a Bound<'_, PyAny>>,
) -> PyResult<Cow<'a, [u8]>> {
    let payload = message.map_or(Ok(Cow::default()), control_payload)?;
    if payload.len() > MAX_CONTROL_PAYLOAD {
        let size = payload.len();
        return Err(PyValueError::new_err(format!(
            "{opcode} message is {size} bytes long, expected at most {MAX_CONTROL_PAYLOAD}"
        )));
    }
    Ok(payload)
}

/// What aiohttp's `compress` of one message says: 0 forbids, 9 to 15 overrules the connection's setting.
pub fn is_compression_wanted(compress: &Bound<'_, PyAny>) -> PyResult<bool> {
    match compress.extract::<i64>() {
        Ok(0) => Ok(false),
        Ok(9..=15) => Ok(true),
        Err(error) if !error.is_instance_of::<PyOverflowError>(compress.py()) => Err(error),
        _ => Err(PyValueError::new_err(format!("compress is {compress}, expected 0 or 9 to 15"))),
    }
}
