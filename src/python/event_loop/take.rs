//! Messages that are there are taken, and handed out.

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::prelude::*;
use pyo3::types::PyListMethods;

use super::failure;
use super::settle::settle;
use super::state::{Protocol, Wanted};
use crate::endpoint::{Due, Kind, NoMemory, Sized};
use crate::python::cpython::memory;
use crate::python::values::message::{Content, Item};
use crate::registry::code;

/// Take what is wanted; there is at least one message. What cannot be handed out waits again.
///
/// `dialect` is whether the connection has one.
#[inline]
pub fn take(protocol: &Bound<'_, Protocol>, wanted: Wanted, dialect: bool) -> PyResult<Py<PyAny>> {
    if !matches!(wanted, Wanted::One | Wanted::Next | Wanted::Data | Wanted::NextData) {
        let taken = if wanted == Wanted::All { take_all } else { take_part };
        return taken(protocol, dialect);
    }
    take_next(protocol, wanted, |item| {
        if wanted.is_data() {
            return Ok(item.content.data);
        }
        if wanted == Wanted::Next && item.kind.ends_iteration() {
            return Err(PyStopAsyncIteration::new_err(()));
        }
        make(protocol, item, dialect)
    })
}

/// Take the next message, of which there is one, and hand it out.
#[expect(clippy::inline_always, reason = "its callers have every message")]
#[inline(always)]
pub fn take_next(
    protocol: &Bound<'_, Protocol>,
    wanted: Wanted,
    hand_out: impl FnOnce(Item) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let (item, is_due) = {
        let endpoint = &mut protocol.borrow_mut().endpoint;
        (endpoint.take(), endpoint.due() != Due::NOTHING)
    };
    let item = match item {
        Some(item) => item,
        None if wanted.is_data() && protocol.borrow().is_lost() => {
            return Err(failure::ended(protocol, wanted == Wanted::NextData));
        }
        None => closed(protocol)?.ok_or_else(taken)?,
    };
    // What taking a message made possible: to answer the peer's end, or to read on.
    if is_due && let Err(error) = settle(protocol) {
        return Err(put_back(protocol, (error, item)));
    }
    hand_out(item)
}

/// The message of an item, which waits again if there is no memory for that.
#[expect(clippy::inline_always, reason = "its callers have every message")]
#[inline(always)]
pub fn make(protocol: &Bound<'_, Protocol>, item: Item, dialect: bool) -> PyResult<Py<PyAny>> {
    made(protocol, item, dialect).map_err(|unmade| put_back(protocol, unmade))
}

/// The message of an item, which comes back if there is no memory for that.
#[expect(clippy::inline_always, reason = "its callers have every message")]
#[inline(always)]
fn made(
    protocol: &Bound<'_, Protocol>,
    item: Item,
    dialect: bool,
) -> Result<Py<PyAny>, (PyErr, Item)> {
    if dialect || item.kind == Kind::Error {
        make_other(protocol, item)
    } else {
        item.into_message(protocol.py())
    }
}

/// The same for an error, or for users of another library. Not inlined, so that other messages do not pay
/// for it.
#[inline(never)]
fn make_other(protocol: &Bound<'_, Protocol>, mut item: Item) -> Result<Py<PyAny>, (PyErr, Item)> {
    let py = protocol.py();
    if item.kind == Kind::Error {
        item.content.data = failure::exception(protocol).unwrap_or(item.content.data);
    }
    let dialect = protocol.borrow().dialect(py);
    match dialect {
        Some(dialect) => dialect.get().message(py, item),
        None if item.kind == Kind::Error => item.into_tracked(py),
        None => item.into_message(py),
    }
}

/// What there is for ever when the end is told and there is nothing else.
#[cold]
fn closed(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Item>> {
    let me = protocol.borrow();
    if !me.endpoint.tells_end() {
        return Ok(None);
    }
    let (code, reason) = match me.endpoint.fate() {
        Some(fate) => (fate.code(), fate.reason()),
        None => (code::ABNORMAL, String::new()),
    };
    let content = Content::close(protocol.py(), code, &reason)?;
    Ok(Some(Item { kind: Kind::Closed, content }))
}

#[cold]
pub fn taken() -> PyErr {
    PyRuntimeError::new_err("the message was taken by another reader")
}

/// Take all messages that are there, at least one.
#[inline(never)]
fn take_all(protocol: &Bound<'_, Protocol>, dialect: bool) -> PyResult<Py<PyAny>> {
    let items = take_queued(protocol, None)?;
    let each = |item| made(protocol, item, dialect);
    if items.len() > 0 {
        hand_out(protocol, items, each)
    } else {
        hand_out(protocol, take_item(protocol)?.into_iter(), each)
    }
}

/// Take messages that are there, with `only` up to the first that is not of this kind.
pub fn take_queued(
    protocol: &Bound<'_, Protocol>,
    only: Option<Kind>,
) -> PyResult<impl ExactSizeIterator<Item = Item> + DoubleEndedIterator + use<>> {
    let mut items = Vec::new();
    loop {
        let taken = protocol.borrow_mut().endpoint.take_queued(only, &mut items);
        // What waited for room comes in.
        let settled = match taken {
            Ok(()) => settle(protocol),
            Err(NoMemory) => Err(memory::exhausted(protocol.py())),
        };
        if let Err(error) = settled {
            return Err(put_all_back(protocol, without_sizes(items), error));
        }
        if !protocol.borrow().endpoint.has_queued(only) {
            return Ok(without_sizes(items));
        }
    }
}

fn without_sizes(
    items: Vec<Sized<Content>>,
) -> impl ExactSizeIterator<Item = Item> + DoubleEndedIterator {
    items.into_iter().map(|(item, _)| item)
}

/// A list of what `each` makes of the items; what there is no memory for waits again.
pub fn hand_out(
    protocol: &Bound<'_, Protocol>,
    mut items: impl ExactSizeIterator<Item = Item> + DoubleEndedIterator,
    each: impl FnMut(Item) -> Result<Py<PyAny>, (PyErr, Item)>,
) -> PyResult<Py<PyAny>> {
    match memory::list_of(protocol.py(), &mut items.by_ref().map(each)) {
        Ok((list, None)) => Ok(list.into_any().unbind()),
        Ok((list, Some((error, unmade)))) => {
            let error = put_all_back(protocol, items, error);
            let error = put_back(protocol, (error, unmade));
            // Those before it are all, if there are any.
            if list.is_empty() { Err(error) } else { Ok(list.into_any().unbind()) }
        }
        Err(error) => Err(put_all_back(protocol, items, error)),
    }
}

/// Take the data of the next part of a message, or of a whole one, or the message that comes instead.
#[cold]
fn take_part(protocol: &Bound<'_, Protocol>, dialect: bool) -> PyResult<Py<PyAny>> {
    let item = protocol.borrow_mut().endpoint.take_part();
    let item = match item {
        Some(item) => item,
        None => closed(protocol)?.ok_or_else(taken)?,
    };
    if let Err(error) = settle(protocol) {
        return Err(put_back(protocol, (error, item)));
    }
    if item.kind.is_data() || item.kind.is_part() {
        return Ok(item.content.data);
    }
    make(protocol, item, dialect)
}

/// Take the next message, if there is one.
pub fn take_one(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    take_item(protocol)?.map(|item| make(protocol, item, true)).transpose()
}

fn take_item(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Item>> {
    let item = protocol.borrow_mut().endpoint.take();
    let item = match item {
        None => closed(protocol)?,
        some => some,
    };
    match (settle(protocol), item) {
        (Ok(()), item) => Ok(item),
        (Err(error), Some(item)) => Err(put_back(protocol, (error, item))),
        (Err(error), None) => Err(error),
    }
}

/// The next message, which goes on waiting, and the size of its payload in bytes.
pub fn peek(protocol: &Bound<'_, Protocol>) -> PyResult<Option<(Py<PyAny>, usize)>> {
    let first = {
        let connection = protocol.borrow();
        connection.endpoint.first().map(|(item, size)| (item.clone_ref(protocol.py()), size))
    };
    first.map_or(Ok(None), |(item, size)| match make_other(protocol, item) {
        Ok(message) => Ok(Some((message, size))),
        Err((error, _)) => Err(error),
    })
}

/// The message of an item that was taken could not be handed out: let it wait again.
#[cold]
fn put_back(protocol: &Bound<'_, Protocol>, (error, item): (PyErr, Item)) -> PyErr {
    // What comes for ever need not wait.
    let kept = item.kind == Kind::Closed || {
        let mut me = protocol.borrow_mut();
        let (endpoint, mut making) = me.at_work(protocol.py());
        endpoint.put_back(item, &mut making)
    };
    let settled = if kept { Ok(()) } else { settle(protocol) };
    settled.err().unwrap_or(error)
}

/// The same of several.
#[cold]
fn put_all_back(
    protocol: &Bound<'_, Protocol>,
    items: impl DoubleEndedIterator<Item = Item>,
    error: PyErr,
) -> PyErr {
    items.rev().fold(error, |error, item| put_back(protocol, (error, item)))
}
