//! `wsclient.framing`: the core's parts for people who bring their own transport.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::cpython::memory;
use super::values::errors::{no_entropy, web_socket_error};
use super::values::payload;
use crate::close::{self, CloseFrame};
use crate::connection::{Connection, Event};
use crate::deflate::Inflater;
use crate::frame::{self, Header, MAX_CONTROL_PAYLOAD};
use crate::keys;
use crate::mask::{self, Key};
use crate::registry::Opcode;
use crate::utf8;

/// One frame (RFC 6455 §5.2), its payload unmasked.
#[pyclass(frozen, get_all, module = "wsclient.framing")]
pub struct Frame {
    /// The opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    opcode: u8,
    /// The payload.
    payload: Py<PyBytes>,
    /// Whether this is the last fragment of its message.
    fin: bool,
    /// The reserved bits, RSV1 as 4, RSV2 as 2, RSV3 as 1.
    rsv: u8,
    /// Whether the frame was masked.
    masked: bool,
}

#[pymethods]
impl Frame {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let payload = self.payload.bind(py).repr()?;
        let (opcode, fin, rsv, masked) = (self.opcode, self.fin, self.rsv, self.masked);
        let fin = if fin { "True" } else { "False" };
        let masked = if masked { "True" } else { "False" };
        Ok(format!(
            "Frame(opcode={opcode}, payload={payload}, fin={fin}, rsv={rsv}, masked={masked})"
        ))
    }
}

/// Parse the frame at the start of `data` (RFC 6455 §5.2).
///
/// Args:
///     data: Bytes as they were read.
///     max_size: The largest payload to take, in bytes; `None` for no limit.
///
/// Returns:
///     The frame and the number of bytes it took, or `None` if `data` does not hold all of it.
///
/// Raises:
///     WebSocketError: The header is invalid, or announces more than `max_size`.
///
/// Example:
///     >>> parse_frame(b"\x81\x02hi...")
///     (Frame(opcode=1, payload=b'hi', fin=True, rsv=0, masked=False), 4)
#[pyfunction]
#[pyo3(signature = (data, *, max_size = None))]
pub fn parse_frame(
    data: &Bound<'_, PyAny>,
    max_size: Option<u64>,
) -> PyResult<Option<(Frame, usize)>> {
    let py = data.py();
    let data = payload::binary(data)?;
    let Some((header, start)) =
        Header::parse(&data).map_err(|error| web_socket_error(py, &error))?
    else {
        return Ok(None);
    };
    if let Some(limit) = max_size.filter(|limit| header.length > *limit) {
        let error = crate::error::ProtocolError::MessageTooBig { size: header.length, limit };
        return Err(web_socket_error(py, &error));
    }
    let end = usize::try_from(header.length).ok().and_then(|length| start.checked_add(length));
    let Some((end, payload)) = end.and_then(|end| Some((end, data.get(start..end)?))) else {
        return Ok(None);
    };
    let payload = PyBytes::new_with(py, payload.len(), |out| {
        match header.key {
            Some(key) => mask::copy(out, payload, key),
            None => out.copy_from_slice(payload),
        }
        Ok(())
    })?;
    let frame = Frame {
        opcode: header.opcode as u8,
        payload: payload.unbind(),
        fin: header.fin,
        rsv: header.rsv,
        masked: header.key.is_some(),
    };
    Ok(Some((frame, end)))
}

/// Build a frame (RFC 6455 §5.2).
///
/// Args:
///     opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
///     payload: `bytes`, `bytearray` or `memoryview`.
///     fin: Whether this is the last fragment of its message.
///     rsv: The reserved bits, RSV1 as 4, RSV2 as 2, RSV3 as 1.
///     mask: `True` for a random key, as a client must; `False` for none, as a server must; or
///         four bytes to use as the key.
///
/// Returns:
///     The frame, to be written as it is.
///
/// Raises:
///     ValueError: An opcode that does not exist, a control frame that is too long or fragmented,
///         reserved bits over 7, or a key that is not four bytes long.
///
/// Example:
///     >>> encode_frame(1, b"hi", mask=False)
///     b'\x81\x02hi'
#[pyfunction]
#[pyo3(signature = (opcode, payload = None, *, fin = true, rsv = 0, mask = None))]
pub fn encode_frame<'py>(
    py: Python<'py>,
    opcode: i64,
    payload: Option<&Bound<'py, PyAny>>,
    fin: bool,
    rsv: i64,
    mask: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let kind = u8::try_from(opcode)
        .ok()
        .and_then(Opcode::from_u8)
        .ok_or_else(|| PyValueError::new_err(format!("opcode {opcode} does not exist")))?;
    let rsv = u8::try_from(rsv)
        .ok()
        .filter(|rsv| *rsv <= 7)
        .ok_or_else(|| PyValueError::new_err(format!("rsv is {rsv}, expected 0 to 7")))?;
    let payload = match payload {
        Some(payload) => payload::binary(payload)?,
        None => (&[]).into(),
    };
    if kind.is_control() && (!fin || payload.len() > MAX_CONTROL_PAYLOAD) {
        return Err(PyValueError::new_err(format!(
            "a {kind} frame must have fin set and at most {MAX_CONTROL_PAYLOAD} bytes of payload"
        )));
    }
    let key = match mask {
        None => Some(keys::draw().map_err(no_entropy)?),
        Some(mask) => match mask.extract::<bool>() {
            Ok(true) => Some(keys::draw().map_err(no_entropy)?),
            Ok(false) => None,
            Err(_) => Some(masking_key(mask)?),
        },
    };
    let header = Header { fin, rsv, ..Header::new(kind, payload.len(), key) };
    PyBytes::new_with(py, header.encoded_len() + payload.len(), |out| {
        frame::write_frame(&header, &payload, out);
        Ok(())
    })
}

fn masking_key(key: &Bound<'_, PyAny>) -> PyResult<Key> {
    let key = payload::binary(key)?;
    key.as_ref().try_into().map_err(|_| {
        PyValueError::new_err(format!("masking key is {} bytes long, expected 4", key.len()))
    })
}

/// Mask or unmask a payload (RFC 6455 §5.3).
///
/// Args:
///     data: The payload.
///     key: The masking key, four bytes.
///
/// Returns:
///     The payload with the key applied; applying it again gives the payload back.
///
/// Raises:
///     ValueError: `key` is not four bytes long.
#[pyfunction]
pub fn apply_mask<'py>(
    data: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = masking_key(key)?;
    let payload = payload::binary(data)?;
    PyBytes::new_with(data.py(), payload.len(), |out| {
        mask::copy(out, &payload, key);
        Ok(())
    })
}

/// Whether `data` is UTF-8 (RFC 6455 §8.1).
#[pyfunction]
pub fn is_utf8(data: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(utf8::validate(&payload::binary(data)?).is_ok())
}

/// Checks a text that comes in pieces, which may break a character anywhere (RFC 6455 §8.1).
#[pyclass(module = "wsclient.framing")]
#[derive(Default)]
pub struct Utf8Validator(utf8::Utf8Validator);

#[pymethods]
impl Utf8Validator {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Check the next piece.
    ///
    /// Args:
    ///     data: The piece.
    ///
    /// Returns:
    ///     Whether the text so far can be the start of UTF-8.
    fn feed(&mut self, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.0.feed(&payload::binary(data)?).is_ok())
    }

    /// Whether the text so far ends with a whole character.
    fn finish(&self) -> bool {
        self.0.finish().is_ok()
    }
}

/// Build the payload of a close frame (RFC 6455 §5.5.1).
///
/// Args:
///     code: The close code.
///     reason: At most 123 bytes of UTF-8.
///
/// Returns:
///     The payload.
///
/// Raises:
///     ValueError: The code must not be sent, or the reason is too long.
#[pyfunction]
#[pyo3(signature = (code, reason = ""))]
pub fn encode_close<'py>(code: &Bound<'py, PyAny>, reason: &str) -> PyResult<Bound<'py, PyBytes>> {
    let py = code.py();
    let frame = CloseFrame { code: Some(payload::close_code(code)?), reason: reason.to_owned() };
    close::check(&frame).map_err(PyValueError::new_err)?;
    memory::bytes(py, &frame.payload().map_err(|error| web_socket_error(py, &error))?)
}

/// Read the payload of a close frame (RFC 6455 §5.5.1).
///
/// Args:
///     payload: The payload.
///
/// Returns:
///     The code, `None` if there is none, and the reason.
///
/// Raises:
///     WebSocketError: The payload is invalid.
#[pyfunction]
pub fn parse_close(payload: &Bound<'_, PyAny>) -> PyResult<(Option<u16>, String)> {
    let py = payload.py();
    let frame = CloseFrame::parse(&payload::binary(payload)?)
        .map_err(|error| web_socket_error(py, &error))?;
    Ok((frame.code, frame.reason))
}

/// A client's reading side without I/O: bytes in, whole messages out.
///
/// Args:
///     max_size: The largest message to take, in bytes when it is decompressed; 0 for no limit.
///     deflate: Whether permessage-deflate was negotiated, so that messages may be compressed (RFC
///         7692).
///     server_no_context_takeover: Whether that was negotiated with it: no message refers to
///         earlier ones.
///
/// Example:
///     >>> MessageParser().feed(b"\x81\x02hi\x89\x00")
///     [(1, b'hi'), (9, b'')]
#[pyclass(module = "wsclient.framing")]
pub struct MessageParser {
    connection: Connection,
    error: Option<crate::error::ProtocolError>,
}

#[pymethods]
impl MessageParser {
    #[new]
    #[pyo3(signature = (*, max_size = 4_194_304, deflate = false, server_no_context_takeover = false))]
    fn new(max_size: u64, deflate: bool, server_no_context_takeover: bool) -> Self {
        let limit = if max_size == 0 { u64::MAX } else { max_size };
        let mut connection = Connection::new(limit);
        if deflate {
            connection.inflate_with(Inflater::new(!server_no_context_takeover));
        }
        Self { connection, error: None }
    }

    /// Take the next bytes.
    ///
    /// Args:
    ///     data: Bytes as they were read, cut anywhere.
    ///
    /// Returns:
    ///     What has arrived whole, as pairs of opcode and payload; fragments are put together, and
    ///     text is known to be UTF-8. After a close frame, nothing more.
    ///
    /// Raises:
    ///     WebSocketError: The server broke the protocol; raised by the call after the one that
    ///         returned what came before the error, or at once if nothing did.
    fn feed<'py>(&mut self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = data.py();
        let data = payload::binary(data)?;
        let messages = PyList::empty(py);
        let mut input: &[u8] = &data;
        while self.error.is_none() {
            match self.connection.next_event(&mut input) {
                Ok(None) => return Ok(messages),
                Ok(Some(event)) => {
                    let (opcode, payload) = match event {
                        Event::Text(payload) => (Opcode::Text, payload),
                        Event::Binary(payload) => (Opcode::Binary, payload),
                        Event::Ping(payload) => (Opcode::Ping, payload),
                        Event::Pong(payload) => (Opcode::Pong, payload),
                        Event::Close(frame) => {
                            let payload = frame.payload();
                            let payload = payload.map_err(|error| web_socket_error(py, &error))?;
                            (Opcode::Close, payload.into())
                        }
                        // Left to the core to gather; nobody wants parts.
                        Event::Large(_) | Event::Part(_) => continue,
                    };
                    messages.append((opcode as u8, memory::bytes(py, &payload)?))?;
                }
                Err(error) => self.error = Some(error),
            }
        }
        match &self.error {
            Some(error) if messages.is_empty() => Err(web_socket_error(py, error)),
            _ => Ok(messages),
        }
    }
}
