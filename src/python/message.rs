//! `Message`: what `receive()` returns.

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::protocol::Protocol;
use super::runtime::{self, Kind};
use super::{call, recycle};

/// What `receive()` returns; unpacks, indexes and compares like the tuple `(tp, data, extra)`.
///
/// `tp` is a member of `MsgType`, and `type` is another name for it. `data` is `str` for text,
/// `bytes` for binary, ping and pong, the close code for close and closed, the exception for error.
/// `extra` is the close reason for close and closed.
///
/// Mirrors `aiohttp.WSMessage`.
#[pyclass(frozen, sequence, module = "wsclient")]
pub struct Message {
    /// The member of `MsgType` that says what arrived; `type` is the same.
    #[pyo3(get)]
    tp: Py<PyAny>,
    /// The payload, close code or exception.
    #[pyo3(get)]
    data: Py<PyAny>,
    /// The close reason, for close and closed.
    #[pyo3(get)]
    extra: Py<PyAny>,
}

/// A message as it waits: made into a [`Message`] only when it is taken, so that receiving runs no
/// garbage collection, and with it no foreign code, while the connection is borrowed.
pub struct Item {
    pub kind: Kind,
    pub data: Py<PyAny>,
    /// `None` stands for the empty string.
    pub extra: Option<Py<PyAny>>,
}

impl Item {
    pub fn new(kind: Kind, data: Py<PyAny>) -> Self {
        Self { kind, data, extra: None }
    }

    pub fn into_message(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let extra = match self.extra {
            Some(extra) => extra,
            None => runtime::no_extra(py)?,
        };
        let atomic = self.kind != Kind::Error;
        let message = Message::new(self.kind.member(py)?, self.data, extra);
        Ok(recycle::message(py, message, atomic)?.into_any())
    }

    /// The message as the connection's users know it. Not inlined, so that those who have no dialect
    /// do not pay for it.
    #[inline(never)]
    pub fn into_dialect(self, protocol: &Bound<'_, Protocol>) -> PyResult<Py<PyAny>> {
        let py = protocol.py();
        let dialect = protocol.borrow().dialect(py);
        match dialect {
            Some(dialect) => dialect.get().message(py, self.kind, self.data, self.extra),
            None => self.into_message(py),
        }
    }
}

impl Message {
    /// Let the class have `type` as another name for `tp`.
    pub fn install(py: Python<'_>) -> PyResult<()> {
        let class = py.get_type::<Self>();
        class.setattr("type", class.getattr("tp")?)
    }

    /// The three, as they were given to `new`.
    pub fn into_fields(self) -> [Py<PyAny>; 3] {
        [self.tp, self.data, self.extra]
    }

    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, [&self.tp, &self.data, &self.extra])
    }
}

#[pymethods]
impl Message {
    #[classattr]
    #[allow(non_upper_case_globals, reason = "Python's name")]
    const __match_args__: (&'static str, &'static str, &'static str) = ("tp", "data", "extra");

    #[new]
    #[pyo3(signature = (tp, data, extra))]
    pub(super) fn new(tp: Py<PyAny>, data: Py<PyAny>, extra: Py<PyAny>) -> Self {
        Self { tp, data, extra }
    }

    /// Parse `data` as JSON.
    ///
    /// Args:
    ///     loads: What parses; `json.loads` by default.
    ///
    /// Returns:
    ///     What `loads` returns; whatever it raises passes through.
    ///
    /// Mirrors `aiohttp.WSMessage.json`.
    #[pyo3(signature = (*, loads = None))]
    fn json(&self, py: Python<'_>, loads: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let loads = match loads {
            Some(loads) => loads.into_bound(py),
            None => py.import("json")?.getattr("loads")?,
        };
        call::function(&loads, [self.data.bind(py)]).map(Bound::unbind)
    }

    fn __len__(&self) -> usize {
        3
    }

    /// How often `value` is among the three.
    fn count(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(call::method(self.tuple(py)?.as_any(), "count", [value])?.unbind())
    }

    /// Where `value` is among the three; `ValueError` if it is not.
    fn index(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(call::method(self.tuple(py)?.as_any(), "index", [value])?.unbind())
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.tuple(py)?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.tuple(py)?.try_iter()?.into_any())
    }

    fn __richcmp__(
        &self,
        py: Python<'_>,
        other: &Bound<'_, PyAny>,
        op: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let mine = self.tuple(py)?;
        if let Ok(other) = other.cast::<Self>() {
            return Ok(mine.rich_compare(other.get().tuple(py)?, op)?.unbind());
        }
        if let Ok(other) = other.cast::<PyTuple>() {
            return Ok(mine.rich_compare(other, op)?.unbind());
        }
        Ok(py.NotImplemented())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.tuple(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let fields = PyDict::new(py);
        for (name, value) in [("tp", &self.tp), ("data", &self.data), ("extra", &self.extra)] {
            fields.set_item(name, value)?;
        }
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| Ok(format!("{}={}", name.str()?, value.repr()?)))
            .collect::<PyResult<_>>()?;
        Ok(format!("Message({})", fields.join(", ")))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        Ok((slf.get_type().into_any(), slf.get().tuple(slf.py())?))
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.tp)?;
        visit.call(&self.data)?;
        visit.call(&self.extra)
    }
}
