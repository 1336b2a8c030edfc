//! `Message`: what `receive()` returns.

use pyo3::basic::CompareOp;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyModule, PySlice, PyString, PyTuple};

use super::kinds;
use crate::endpoint::{self, Kind};
use crate::python::cpython::recycle::{Blank, Record};
use crate::python::cpython::{call, memory, recycle};

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

/// What a message holds while it waits: made into a [`Message`] only when it is taken, so that receiving
/// runs no garbage collection, and with it no foreign code, while the connection is borrowed.
pub struct Content {
    pub data: Py<PyAny>,
    /// `None` stands for the empty string.
    pub extra: Option<Py<PyAny>>,
}

impl Content {
    /// A close code and a reason.
    pub fn close(py: Python<'_>, code: u16, reason: &str) -> PyResult<Self> {
        let data = memory::int(py, code.into())?.unbind();
        let extra = memory::string(py, reason)?.into_any().unbind();
        Ok(Self { data, extra: Some(extra) })
    }
}

/// A message as it waits.
pub type Item = endpoint::Item<Content>;

impl Item {
    /// A message of these parts.
    pub(crate) fn new(kind: Kind, data: Py<PyAny>, extra: Option<Py<PyAny>>) -> Self {
        Self { kind, content: Content { data, extra } }
    }

    /// The same once more.
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        let extra = self.content.extra.as_ref().map(|extra| extra.clone_ref(py));
        Self::new(self.kind, self.content.data.clone_ref(py), extra)
    }

    /// The message, whose content can be part of no cycle; without memory for it, the item comes back.
    #[inline]
    pub(crate) fn into_message(self, py: Python<'_>) -> Result<Py<PyAny>, (PyErr, Self)> {
        if !recycle::makes_messages() {
            return self.into_tracked(py);
        }
        let parts = || {
            let member = kinds::member(py, self.kind)?;
            Ok((member, kinds::no_extra(py)?, Blank::<Message>::message(py)?))
        };
        match parts() {
            Ok((member, none, blank)) => {
                let Content { data, extra } = self.content;
                let fields = Message::new(member, data, extra.unwrap_or(none));
                Ok(blank.into_message(fields).into_any())
            }
            Err(error) => Err((error, self)),
        }
    }

    /// The message, known to the garbage collector.
    #[cold]
    pub(crate) fn into_tracked(self, py: Python<'_>) -> Result<Py<PyAny>, (PyErr, Self)> {
        let make = || {
            let Content { data, extra } = self.clone_ref(py).content;
            let extra = extra.map_or_else(|| kinds::no_extra(py), Ok)?;
            let fields = Message::new(kinds::member(py, self.kind)?, data, extra);
            Ok(Py::new(py, fields)?.into_any())
        };
        make().map_err(|error| (error, self))
    }
}

impl Record for Message {
    fn into_fields(self) -> [Py<PyAny>; 3] {
        [self.tp, self.data, self.extra]
    }
}

impl Message {
    /// Let the class have `type` as another name for `tp`, and its instances be recycled.
    pub fn install(py: Python<'_>) -> PyResult<()> {
        let class = py.get_type::<Self>();
        class.setattr("type", class.getattr("tp")?)?;
        recycle::install(py, Self::new(py.None(), py.None(), py.None()))
    }

    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, [&self.tp, &self.data, &self.extra])
    }
}

/// What parses JSON where nobody says.
pub fn json_loads(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static JSON: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let json = JSON.get_or_try_init(py, || PyResult::Ok(py.import("json")?.unbind()))?;
    json.bind(py).getattr(intern!(py, "loads"))
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
    fn new(tp: Py<PyAny>, data: Py<PyAny>, extra: Py<PyAny>) -> Self {
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
            None => json_loads(py)?,
        };
        call::function(&loads, [self.data.bind(py)]).map(Bound::unbind)
    }

    fn __len__(&self) -> usize {
        3
    }

    /// How often `value` is among the three.
    fn count(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(call::method(self.tuple(py)?.as_any(), intern!(py, "count"), [value])?.unbind())
    }

    /// Where `value` is among the three; `ValueError` if it is not.
    fn index(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Ok(call::method(self.tuple(py)?.as_any(), intern!(py, "index"), [value])?.unbind())
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
