//! `Dialect`: messages and errors as another library's users know them, for its adapter.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::kinds::{self, Members};
use super::message::{Content, Item};
use crate::endpoint::Kind;
use crate::error::ProtocolError;
use crate::python::cpython::recycle::Blank;
use crate::python::cpython::{call, memory, recycle};

/// What a connection makes of messages and errors instead of `Message` and `wsclient.exceptions`.
///
/// With a dialect, the order of what `receive()` returns is aiohttp's as well: the peer's close frame
/// is returned as a message, with `autoclose` too, and `closed` carries no code.
///
/// Args:
///     message: A named tuple of type, data and extra, which has no instances yet and will have no
///         subclasses.
///     text_message: The same, for text; it may be the same class.
///     msg_type: An enumeration with the upper-case names of `MsgType`.
///     reset: Raised with a text when something is sent on a connection that is not open.
///     disconnected: The exception, with a text, of a connection that ended without a close frame.
///     violation: The exception, with close code and text, of a peer that broke the protocol.
///
/// Raises:
///     TypeError: `message` is no such class.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Dialect {
    message: Py<PyType>,
    text_message: Py<PyType>,
    /// The members of the enumeration, in the order of `Kind`.
    members: Members,
    /// The core drops the messages itself.
    recycles: bool,
    reset: Py<PyType>,
    disconnected: Py<PyType>,
    violation: Py<PyType>,
}

#[pymethods]
impl Dialect {
    #[new]
    #[pyo3(signature = (*, message, text_message, msg_type, reset, disconnected, violation))]
    fn new(
        message: Bound<'_, PyType>,
        text_message: Bound<'_, PyType>,
        msg_type: &Bound<'_, PyAny>,
        reset: Py<PyType>,
        disconnected: Py<PyType>,
        violation: Py<PyType>,
    ) -> PyResult<Self> {
        let tuple = message.py().get_type::<PyTuple>();
        for class in [&message, &text_message] {
            if !class.is_subclass(&tuple)? {
                let text = format!("messages cannot be made as {class}, expected a named tuple");
                return Err(PyTypeError::new_err(text));
            }
        }
        let recycles = recycle::adopt(&message) && recycle::adopt(&text_message);
        Ok(Self {
            members: kinds::members_of(msg_type)?,
            message: message.unbind(),
            text_message: text_message.unbind(),
            recycles,
            reset,
            disconnected,
            violation,
        })
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        for class in
            [&self.message, &self.text_message, &self.reset, &self.disconnected, &self.violation]
        {
            visit.call(class)?;
        }
        self.members.iter().try_for_each(|member| visit.call(member))
    }
}

impl Dialect {
    /// A message, without calling its class; without memory for it, the item comes back.
    #[inline]
    pub fn message(&self, py: Python<'_>, item: Item) -> Result<Py<PyAny>, (PyErr, Item)> {
        let kind = item.kind;
        let class = if kind == Kind::Text { &self.text_message } else { &self.message };
        let class = class.bind(py);
        let none = match kind {
            Kind::Error | Kind::Closing | Kind::Closed => Ok(py.None()),
            _ => kinds::no_extra(py),
        };
        let none = match none {
            Ok(none) => none,
            Err(error) => return Err((error, item)),
        };
        let fields = |none, item: Item| {
            let Content { data, extra } = item.content;
            let data = if kind == Kind::Closed { py.None() } else { data };
            let extra = match kind {
                Kind::Error | Kind::Closing | Kind::Closed => none,
                _ => extra.unwrap_or(none),
            };
            [self.members[kind as usize].clone_ref(py), data, extra]
        };
        if self.recycles && kind != Kind::Error {
            return match Blank::tuple(py, class) {
                Ok(blank) => Ok(blank.into_tuple(fields(none, item))),
                Err(error) => Err((error, item)),
            };
        }
        // What `class._make(fields)` does.
        let make = |fields| {
            let fields = PyTuple::new(py, fields)?;
            let new = py.get_type::<PyTuple>().getattr(intern!(py, "__new__"))?;
            call::function(&new, [class, &fields]).map(Bound::unbind)
        };
        make(fields(none, item.clone_ref(py))).map_err(|error| (error, item))
    }

    /// Something was sent on a connection that is not open.
    pub fn reset(&self, py: Python<'_>, text: &str) -> PyErr {
        memory::error(self.reset.bind(py), text)
    }

    /// The connection ended without a close frame.
    pub fn disconnected(&self, py: Python<'_>, text: &str) -> PyErr {
        memory::error(self.disconnected.bind(py), text)
    }

    /// The peer broke the protocol.
    pub fn violation(&self, py: Python<'_>, error: &ProtocolError) -> PyErr {
        memory::error_with_code(self.violation.bind(py), error.close_code(), &error.to_string())
    }
}
