//! Who waits in `receive()`, and what is there to be taken.

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::message::Item;
use super::protocol::{Options, Protocol};
use super::receive::{Receive, Wanted};
use super::runtime::Kind;
use super::settle::settle;
use super::{call, flow, future, memory, names};

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

    /// The next message; after the last comes `Ending::closed_message`, for ever.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Item> {
        let item = self.inbox.pop();
        if item.as_ref().is_none_or(|item| item.kind.is_end()) {
            self.reach_end();
            self.ending.answer_next = self.options.answers_next(item.as_ref());
        }
        item
    }

    /// `reader` waits no longer.
    pub(super) fn stop_reading(&mut self, reader: &Bound<'_, Receive>) {
        if self.reader.as_ref().is_some_and(|current| current.is(reader)) {
            self.reader = None;
            // It is cancelled, or belongs to a task that will not come back.
            self.ending.replaced.extend(self.future.take());
        }
    }

    /// Whether a task waits to receive. One that is cancelled, but has not run since, does not.
    #[inline]
    pub(super) fn has_reader(&mut self, py: Python<'_>) -> PyResult<bool> {
        if self.reader.is_none() { Ok(false) } else { self.reader_waits(py) }
    }

    #[cold]
    fn reader_waits(&mut self, py: Python<'_>) -> PyResult<bool> {
        let (Some(_), Some(future)) = (&self.reader, &self.future) else {
            return Ok(self.reader.is_some());
        };
        if call::method(future.bind(py), names::cancelled(py), [])?.is_truthy()? {
            self.ending.replaced.extend(self.reader.take().map(Py::into_any));
            self.ending.replaced.extend(self.future.take());
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

/// Take what is wanted; there is at least one message. What cannot be handed out waits again.
///
/// `dialect` is whether the connection has one.
#[inline]
pub fn take(protocol: &Bound<'_, Protocol>, wanted: Wanted, dialect: bool) -> PyResult<Py<PyAny>> {
    if wanted == Wanted::All {
        return take_all(protocol, dialect);
    }
    let item = protocol.borrow_mut().take();
    let item = match item {
        Some(item) => item,
        None => closed(protocol)?.ok_or_else(taken)?,
    };
    if let Err(error) = finish_take(protocol, &item) {
        return Err(put_back(protocol, (error, item)));
    }
    if wanted == Wanted::Next && item.kind.ends_iteration() {
        return Err(PyStopAsyncIteration::new_err(()));
    }
    make(protocol, item, dialect)
}

/// The message of an item, which waits again if there is no memory for that.
#[inline]
fn make(protocol: &Bound<'_, Protocol>, item: Item, dialect: bool) -> PyResult<Py<PyAny>> {
    let made = if dialect { item.into_dialect(protocol) } else { item.into_message(protocol.py()) };
    made.map_err(|unmade| put_back(protocol, unmade))
}

/// What there is when there is nothing else: the end, after which nothing comes.
#[cold]
fn closed(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Item>> {
    protocol.borrow().ending.closed_message(protocol.py())
}

#[cold]
fn taken() -> PyErr {
    PyRuntimeError::new_err("the message was taken by another reader")
}

/// Take all messages that are there, at least one.
#[inline(never)]
fn take_all(protocol: &Bound<'_, Protocol>, dialect: bool) -> PyResult<Py<PyAny>> {
    let messages = memory::list(protocol.py())?;
    // Not by `take`: an error among them is not the end before its batch has been answered.
    loop {
        let Some(item) = protocol.borrow_mut().inbox.pop() else {
            // What waited for room comes in.
            if let Err(error) = flow::refill(protocol) {
                return Err(put_all_back(protocol, &messages, error));
            }
            if protocol.borrow().inbox.is_ready() {
                continue;
            }
            break;
        };
        let message = match make(protocol, item, dialect) {
            Ok(message) => message,
            // Without memory for more, these are all.
            Err(_) if !messages.is_empty() => break,
            Err(error) => return Err(error),
        };
        if let Err(error) = messages.append(&message) {
            let error = put_message_back(protocol, message.bind(protocol.py()), error);
            return Err(put_all_back(protocol, &messages, error));
        }
    }
    if messages.is_empty()
        && let Some(message) = take_one(protocol)?
    {
        messages.append(message)?;
    }
    Ok(messages.into_any().unbind())
}

#[cold]
fn put_message_back(
    protocol: &Bound<'_, Protocol>,
    message: &Bound<'_, PyAny>,
    error: PyErr,
) -> PyErr {
    match Item::of(protocol, message) {
        Ok(item) => put_back(protocol, (error, item)),
        Err(other) => other,
    }
}

#[cold]
fn put_all_back(
    protocol: &Bound<'_, Protocol>,
    messages: &Bound<'_, PyList>,
    mut error: PyErr,
) -> PyErr {
    for index in (0..messages.len()).rev() {
        match messages.get_item(index) {
            Ok(message) => error = put_message_back(protocol, &message, error),
            Err(other) => return other,
        }
    }
    error
}

/// Take the next message, if there is one.
pub fn take_one(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let item = protocol.borrow_mut().take();
    let item = match item {
        None => closed(protocol)?,
        some => some,
    };
    let Some(item) = item else {
        settle(protocol)?;
        return Ok(None);
    };
    match finish_take(protocol, &item) {
        Ok(()) => make(protocol, item, true).map(Some),
        Err(error) => Err(put_back(protocol, (error, item))),
    }
}

/// Do what taking `item` made possible: answer the peer's end, or read on.
#[inline]
fn finish_take(protocol: &Bound<'_, Protocol>, item: &Item) -> PyResult<()> {
    if item.kind.is_end() {
        settle(protocol)?;
    }
    flow::refill(protocol)
}

/// The message of an item that was taken could not be handed out: let it wait again.
#[cold]
fn put_back(protocol: &Bound<'_, Protocol>, (error, item): (PyErr, Item)) -> PyErr {
    let kept = {
        let mut me = protocol.borrow_mut();
        // What comes for ever need not wait.
        if item.kind == Kind::Closed { Ok(()) } else { me.inbox.put_back(item) }
    };
    if kept.is_err() {
        protocol.borrow_mut().run_out_of_memory();
        if let Err(error) = settle(protocol) {
            return error;
        }
    }
    error
}
