//! `Message`: what `receive()` returns.

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice, PyString, PyTuple};

use super::protocol::Protocol;
use super::recycle;
use super::runtime::{self, Kind};

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

/// Characters of a value that a `repr` shows, if it is longer.
const SHOWN: usize = 80;
/// Characters of its beginning that are shown though they take more than that when they are escaped.
const AT_LEAST: usize = 10;

/// The `repr` of a value, or of its beginning, with its length. What is not shown is not looked at.
fn shown(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let unit = match () {
        () if value.is_exact_instance_of::<PyString>() => "characters",
        () if value.is_exact_instance_of::<PyBytes>() => "bytes",
        () => {
            let text = value.repr()?.to_string();
            let end = text.char_indices().nth(2 * SHOWN).map(|(index, _)| index);
            return Ok(end.map_or(text.clone(), |end| format!("{}…", &text[..end])));
        }
    };
    let length = value.len()?;
    let mut taken = length.min(SHOWN);
    loop {
        let head = value.get_item(PySlice::new(value.py(), 0, taken.cast_signed(), 1))?;
        let text = head.repr()?.to_string();
        // Two quotes, and perhaps a `b`.
        if text.chars().count() > SHOWN + 3 && taken > AT_LEAST {
            taken = (taken / 2).max(AT_LEAST);
        } else if taken == length {
            return Ok(text);
        } else {
            let (open, quote) = text.split_at(text.len() - 1);
            return Ok(format!("{open}…{quote} ({length} {unit})"));
        }
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
        match loads {
            Some(loads) => loads.call1(py, (&self.data,)),
            None => Ok(py.import("json")?.call_method1("loads", (&self.data,))?.unbind()),
        }
    }

    fn __len__(&self) -> usize {
        3
    }

    /// How often `value` is among the three.
    fn count(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(self.tuple(py)?.call_method1("count", (value,))?.unbind())
    }

    /// Where `value` is among the three; `ValueError` if it is not.
    fn index(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(self.tuple(py)?.call_method1("index", (value,))?.unbind())
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

    /// In one line, however large the payload is.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (tp, data, extra) = (self.tp.bind(py), self.data.bind(py), self.extra.bind(py));
        let (data, extra) = (shown(data)?, shown(extra)?);
        Ok(format!("Message(tp={}, data={data}, extra={extra})", tp.repr()?))
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
