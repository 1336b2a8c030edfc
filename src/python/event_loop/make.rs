//! Messages of bytes, as Python knows them.

use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::reads::Reads;
use crate::close::CloseFrame;
use crate::endpoint::{Kind, Make};
use crate::python::cpython::{memory, text};
use crate::python::socket::gathering::Gathering;
use crate::python::values::dialect::Dialect;
use crate::python::values::journal::Record;
use crate::python::values::message::Content;
use crate::registry::{Opcode, code};

/// What of a connection is needed to make its messages.
pub struct Maker {
    /// Text as `str`, else as `bytes`.
    pub decode_text: bool,
    pub dialect: Option<Py<Dialect>>,
    /// If somebody watches.
    pub reads: Option<Box<Reads>>,
    /// A large message that is arriving.
    pub gathering: Option<Gathering>,
    /// Where all that comes and goes is recorded.
    pub record: Option<Box<Record>>,
}

/// The same, attached to the interpreter. It runs no Python code.
pub struct Making<'a, 'py> {
    py: Python<'py>,
    maker: &'a mut Maker,
}

impl Maker {
    pub fn attached<'a, 'py>(&'a mut self, py: Python<'py>) -> Making<'a, 'py> {
        Making { py, maker: self }
    }

    /// When it was read, which is watched from now on.
    pub fn watch(&mut self) -> &mut Reads {
        self.reads.get_or_insert_with(|| Box::new(Reads::new()))
    }

    /// Bytes were read, or time in which this side did not want to read is over.
    #[inline]
    pub fn note_read(&mut self, py: Python<'_>) {
        if let Some(reads) = &mut self.reads {
            reads.note(py);
        }
    }
}

impl Making<'_, '_> {
    /// What the peer's application has sent, with the time if that is wanted.
    #[inline]
    fn timed(&self, data: Py<PyAny>) -> Content {
        let at = self.maker.reads.as_ref().and_then(|reads| reads.at.as_ref());
        Content { data, extra: at.map(|at| at.clone_ref(self.py)) }
    }

    /// Let it be recorded, if anything is.
    #[cold]
    fn record(&mut self, tell: impl FnOnce(Python<'_>, Option<Instant>, &mut Record)) {
        if let Some(record) = &mut self.maker.record {
            tell(self.py, self.maker.reads.as_ref().map(|reads| reads.last()), record);
        }
    }
}

impl Make for Making<'_, '_> {
    type Content = Content;

    #[inline]
    fn text(&mut self, payload: &[u8]) -> Option<Content> {
        let made = if self.maker.decode_text {
            // SAFETY: the endpoint's promise: the core has validated it.
            text::string(self.py, unsafe { str::from_utf8_unchecked(payload) })
        } else {
            memory::bytes(self.py, payload).map(Bound::into_any)
        };
        made.ok().map(|data| self.timed(data.unbind()))
    }

    #[inline]
    fn bytes(&mut self, kind: Kind, payload: &[u8]) -> Option<Content> {
        let data = memory::bytes(self.py, payload).ok()?.into_any().unbind();
        Some(if kind.is_data() { self.timed(data) } else { Content { data, extra: None } })
    }

    fn unmake(&self, content: &Content, payload: &mut Vec<u8>) -> Option<()> {
        let data = content.data.bind(self.py);
        let piece = match data.cast::<PyString>() {
            Ok(text) => text.to_str().ok()?.as_bytes(),
            Err(_) => data.cast::<PyBytes>().ok()?.as_bytes(),
        };
        payload.try_reserve(piece.len()).ok()?;
        payload.extend_from_slice(piece);
        Some(())
    }

    fn close(&mut self, frame: &CloseFrame) -> Option<Content> {
        // aiohttp's code for none is 0.
        let none = if self.maker.dialect.is_some() { 0 } else { code::NO_STATUS };
        Content::close(self.py, frame.code.unwrap_or(none), &frame.reason).ok()
    }

    fn notice(&mut self) -> Content {
        Content { data: self.py.None(), extra: None }
    }

    fn begin(&mut self, size: usize) -> bool {
        self.maker.gathering = Gathering::new(self.py, size);
        self.maker.gathering.is_some()
    }

    fn append(&mut self, piece: &[u8]) {
        if let Some(gathering) = &mut self.maker.gathering {
            gathering.append(piece);
        }
    }

    fn finish(&mut self) -> Content {
        let whole = self.maker.gathering.take().map(Gathering::finish);
        let whole = whole.unwrap_or_else(|| self.py.None());
        if self.maker.record.is_some()
            && let Ok(bytes) = whole.bind(self.py).cast::<PyBytes>()
        {
            self.arrived(Opcode::Binary, bytes.as_bytes());
        }
        self.timed(whole)
    }

    fn forget(&mut self) {
        self.maker.gathering = None;
    }

    fn now(&mut self) -> Instant {
        Instant::now()
    }

    #[inline]
    fn arrived(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.maker.record.is_some() {
            self.record(|py, at, record| record.arrived(py, at, opcode, payload));
        }
    }

    fn part_arrived(&mut self, opcode: Opcode, payload: &[u8], last: bool) {
        self.record(|py, at, record| record.part_arrived(py, at, opcode, payload, last));
    }

    fn close_arrived(&mut self, frame: &CloseFrame) {
        self.record(|py, at, record| record.close_arrived(py, at, frame));
    }

    fn answers(&mut self, payload: &[u8]) {
        self.record(|py, _, record| record.sends(py, Opcode::Pong, payload));
    }
}
