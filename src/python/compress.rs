//! Sending compressed messages (RFC 7692).

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use super::protocol::Protocol;
use super::send::{self, Sent};
use crate::deflate::{Deflater, RSV1};
use crate::frame::Opcode;

/// How the messages of a connection are compressed.
pub struct Compression {
    pub deflater: Deflater,
    /// Messages of fewer bytes are sent as they are.
    pub min_size: usize,
}

/// Send a data message, compressed if the connection does that and `compress` does not forbid it:
/// `None` leaves it to the connection's settings, 0 forbids, 9 to 15 overrules `min_size`.
pub fn send(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    payload: &[u8],
    compress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Sent>> {
    let wanted = compress.map(is_wanted).transpose()?;
    let socket = send::ready(slf, opcode, payload.len())?;
    let compressed = slf.borrow_mut().compression.as_mut().and_then(|compression| {
        let large = payload.len() >= compression.min_size;
        wanted.unwrap_or(large).then(|| compression.deflater.deflate(payload)).flatten()
    });
    let Some(compressed) = compressed else {
        return send::send_frame(slf, socket, opcode, 0, payload);
    };
    let sent = send::send_frame(slf, socket, opcode, RSV1, &compressed);
    let mut me = slf.borrow_mut();
    if sent.is_ok() {
        me.counts.plain += payload.len() as u64;
        me.counts.compressed += compressed.len() as u64;
    } else if let Some(compression) = &mut me.compression {
        // What has not left must not be referred to.
        compression.deflater.forget();
    }
    drop(me);
    sent
}

/// aiohttp's `compress` of one message.
pub fn is_wanted(compress: &Bound<'_, PyAny>) -> PyResult<bool> {
    match compress.extract::<i64>() {
        Ok(0) => Ok(false),
        Ok(9..=15) => Ok(true),
        Err(error) if !error.is_instance_of::<PyOverflowError>(compress.py()) => Err(error),
        _ => Err(PyValueError::new_err(format!("compress is {compress}, expected 0 or 9 to 15"))),
    }
}
