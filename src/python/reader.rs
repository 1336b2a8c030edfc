//! Who waits in `receive()`, and what is there to be taken.

use pyo3::prelude::*;

use super::message::Item;
use super::protocol::{Options, Protocol};
use super::receive::Receive;
use super::runtime::Kind;
use super::{call, future};

impl Options {
    /// Whether the `receive()` after this message closes the connection, as aiohttp's does.
    fn answers_next(&self, item: Option<&Item>) -> bool {
        self.dialect.is_some()
            && !self.autoclose
            && item.is_some_and(|item| item.kind == Kind::Close)
    }
}

impl Protocol {
    /// Whether `receive()` would return at once.
    pub(super) fn has_message(&self) -> bool {
        self.inbox.is_ready() || self.ending.lost
    }

    /// The next message; after the last, `closed` for ever.
    #[inline]
    pub(super) fn take(&mut self, py: Python<'_>) -> Option<Item> {
        let item = self.inbox.pop();
        if item.as_ref().is_none_or(|item| item.kind.is_end()) {
            self.reach_end();
            self.ending.answer_next = self.options.answers_next(item.as_ref());
        }
        item.or_else(|| self.ending.closed_message(py))
    }

    /// `reader` waits no longer.
    pub(super) fn stop_reading(&mut self, reader: &Bound<'_, Receive>) {
        if self.reader.as_ref().is_some_and(|current| current.is(reader)) {
            self.reader = None;
            // It is cancelled, or belongs to a task that will not come back.
            self.future = None;
        }
    }

    /// Whether a task waits to receive. One that is cancelled, but has not run since, does not.
    pub(super) fn has_reader(&mut self, py: Python<'_>) -> PyResult<bool> {
        let (Some(_), Some(future)) = (&self.reader, &self.future) else {
            return Ok(self.reader.is_some());
        };
        if call::method(future.bind(py), "cancelled", [])?.is_truthy()? {
            self.reader = None;
            self.future = None;
        }
        Ok(self.reader.is_some())
    }

    /// A new future for the reader.
    #[cold]
    pub(super) fn new_future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = slf.borrow().event_loop.clone_ref(slf.py());
        let future = future::new(event_loop.bind(slf.py()))?;
        slf.borrow_mut().future = Some(future.clone().unbind());
        Ok(future)
    }

    /// `future` is spent.
    pub(super) fn forget_future(&mut self, future: &Bound<'_, PyAny>) {
        if self.future.as_ref().is_some_and(|current| current.is(future)) {
            self.future = None;
        }
    }
}
