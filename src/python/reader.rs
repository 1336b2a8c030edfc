//! Who waits in `receive()`, and what is there to be taken.

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::message::Item;
use super::protocol::{Options, Protocol};
use super::receive::{Receive, Wanted};
use super::runtime::Kind;
use super::settle::settle;
use super::{flow, future};

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
        if future.call_method0(py, "cancelled")?.is_truthy(py)? {
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

/// The error for a second reader.
pub fn concurrent() -> PyErr {
    PyRuntimeError::new_err("another task is already waiting in receive()")
}

/// Take what is wanted; there is at least one message.
///
/// `dialect` is whether the connection has one.
pub fn take(protocol: &Bound<'_, Protocol>, wanted: Wanted, dialect: bool) -> PyResult<Py<PyAny>> {
    let py = protocol.py();
    let make = |item: Item| {
        if dialect { item.into_dialect(protocol) } else { item.into_message(py) }
    };
    if wanted == Wanted::All {
        let messages = PyList::empty(py);
        // Not by `take`: an error among them is not the end before its batch has been answered.
        loop {
            let Some(item) = protocol.borrow_mut().inbox.pop() else { break };
            flow::refill(protocol)?;
            messages.append(make(item)?)?;
        }
        if messages.is_empty()
            && let Some(message) = take_one(protocol)?
        {
            messages.append(message)?;
        }
        return Ok(messages.into_any().unbind());
    }
    let Some(item) = protocol.borrow_mut().take(py) else {
        return Err(PyRuntimeError::new_err("the message was taken by another reader"));
    };
    finish_take(protocol, Some(&item))?;
    if wanted == Wanted::Next && item.kind.ends_iteration() {
        return Err(PyStopAsyncIteration::new_err(()));
    }
    make(item)
}

/// Take the next message, if there is one.
pub fn take_one(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let py = protocol.py();
    let item = protocol.borrow_mut().take(py);
    finish_take(protocol, item.as_ref())?;
    item.map(|item| item.into_dialect(protocol)).transpose()
}

/// Do what taking `item` made possible: answer the peer's end, or read on.
fn finish_take(protocol: &Bound<'_, Protocol>, item: Option<&Item>) -> PyResult<()> {
    if item.is_none_or(|item| item.kind.is_end()) {
        settle(protocol)?;
    }
    flow::refill(protocol)
}
