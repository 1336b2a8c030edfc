//! Messages that are to be sent, checked and kept.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::payload;
use crate::python::cpython::{call, memory};
use crate::registry::Opcode;

/// A message that is to be sent.
pub enum Outgoing {
    /// It has its UTF-8: what it stands for cannot change any more.
    Text(Py<PyString>),
    Bytes(Py<PyBytes>),
    /// What may change is copied. `compress` is whether it is to be compressed, if somebody has said so.
    Copy {
        opcode: Opcode,
        payload: Vec<u8>,
        compress: Option<bool>,
    },
}

impl Outgoing {
    /// A copy of what is to be sent.
    pub fn copy(
        py: Python<'_>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<bool>,
    ) -> PyResult<Self> {
        Ok(Self::Copy { opcode, payload: memory::copy(py, payload)?, compress })
    }

    /// What `messages[index]` is to be sent as, and how many bytes its payload has.
    fn of(message: &Bound<'_, PyAny>, index: usize) -> PyResult<(Self, usize)> {
        if let Ok(text) = message.cast::<PyString>() {
            return match text.to_str() {
                Ok(utf8) => Ok((Self::Text(text.clone().unbind()), utf8.len())),
                Err(error) => Err(named(message.py(), error, index)?),
            };
        }
        if let Ok(bytes) = message.cast::<PyBytes>() {
            return Ok((Self::Bytes(bytes.clone().unbind()), bytes.as_bytes().len()));
        }
        match payload::binary(message) {
            Ok(payload) => {
                let (size, payload) = (payload.len(), payload.into_owned());
                Ok((Self::Copy { opcode: Opcode::Binary, payload, compress: None }, size))
            }
            Err(error) if error.is_instance_of::<PyTypeError>(message.py()) => {
                let name = format!("messages[{index}]");
                Err(payload::expected(&name, "str, bytes, bytearray or memoryview", message))
            }
            Err(error) => Err(named(message.py(), error, index)?),
        }
    }

    pub fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Bytes(_) => Opcode::Binary,
            Self::Copy { opcode, .. } => *opcode,
        }
    }

    pub fn payload<'a>(&'a self, py: Python<'a>) -> PyResult<&'a [u8]> {
        match self {
            Self::Text(text) => Ok(text.bind(py).to_str()?.as_bytes()),
            Self::Bytes(bytes) => Ok(bytes.as_bytes(py)),
            Self::Copy { payload, .. } => Ok(payload),
        }
    }

    /// Bytes of its payload.
    pub fn len(&self, py: Python<'_>) -> usize {
        self.payload(py).map_or(0, <[u8]>::len)
    }

    pub fn compress(&self) -> Option<bool> {
        if let Self::Copy { compress, .. } = self { *compress } else { None }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Text(text) => visit.call(text),
            Self::Bytes(bytes) => visit.call(bytes),
            Self::Copy { .. } => Ok(()),
        }
    }
}

/// Those of one call.
#[derive(Default)]
pub struct Messages {
    pub all: Vec<Outgoing>,
    /// Bytes of their payloads.
    pub size: usize,
}

impl Messages {
    /// Those of an iterable, each of them checked.
    pub fn of(messages: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = messages.py();
        let iterator = iterator(messages)?;
        let Self { mut all, mut size } = Self::default();
        while let Some(message) = call::next(&iterator)? {
            let (outgoing, length) = Outgoing::of(&message, all.len())?;
            all.try_reserve(1).map_err(|_| memory::exhausted(py))?;
            all.push(outgoing);
            size += length;
        }
        Ok(Self { all, size })
    }
}

/// What is iterable by accident is a mistake: the characters of a text, the keys of a dictionary.
fn iterator<'py>(messages: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    let refused = || payload::expected("messages", "an iterable of str or bytes", messages);
    if payload::is_one_message(messages) || messages.is_instance_of::<PyDict>() {
        return Err(refused());
    }
    call::iter(messages).map_err(|error| {
        let is_none = error.is_instance_of::<PyTypeError>(messages.py())
            && !messages.get_type().hasattr("__iter__").unwrap_or(true);
        if is_none { refused() } else { error }
    })
}

/// `error` is what is wrong with `messages[index]`.
#[cold]
fn named(py: Python<'_>, error: PyErr, index: usize) -> PyResult<PyErr> {
    let value = error.value(py);
    if error.is_instance_of::<PyUnicodeEncodeError>(py) {
        let reason = value.getattr("reason")?;
        value.setattr("reason", format!("{reason}, in messages[{index}]"))?;
    } else {
        let (add_note, note) = (memory::string(py, "add_note")?, format!("in messages[{index}]"));
        call::method(value, &add_note, [memory::string(py, &note)?.as_any()])?;
    }
    Ok(error)
}
