//! The data of messages of a certain kind, without a `Message`: `receive_str()` and its like.

use pyo3::prelude::*;

use super::state::{Protocol, Receive, Wanted};
use super::take::{hand_out, make, take_next, take_queued, taken};
use crate::endpoint::Kind;
use crate::python::cpython::slots::Poll;
use crate::python::cpython::{call, memory, names};
use crate::python::values::message::json_loads;

/// Take the data that `receive` wants, which is done; the next message is to be of its kind.
///
/// `dialect` is whether the connection has one, `owner` the WebSocket. Not inlined, so that other receives do
/// not pay for it.
#[inline(never)]
pub fn take(
    receive: &Bound<'_, Receive>,
    protocol: &Bound<'_, Protocol>,
    wanted: Wanted,
    dialect: bool,
    owner: Option<Bound<'_, PyAny>>,
) -> PyResult<Poll> {
    let kind = wanted.kind();
    if wanted.is_batch() {
        let items = take_queued(protocol, Some(kind))?;
        if items.len() > 0 {
            return hand_out(protocol, items, |item| Ok(item.content.data)).map(Poll::Ready);
        }
        // What comes first is of another kind.
    }
    let taken = take_next(protocol, wanted, |item| {
        if item.kind == kind {
            return Ok(item.content.data);
        }
        let message = make(protocol, item, dialect)?;
        Err(mistaken(message.bind(protocol.py()), kind, owner.as_ref()))
    });
    let data = taken?;
    let result = if wanted == Wanted::Json { parsed(receive, &data)? } else { data };
    Ok(Poll::Ready(result))
}

/// What a text says in JSON. What parses it may be any function.
#[cold]
fn parsed(receive: &Bound<'_, Receive>, text: &Py<PyAny>) -> PyResult<Py<PyAny>> {
    let py = receive.py();
    let loads = receive.borrow_mut().loads.take();
    let loads = match loads {
        Some(loads) => loads.into_bound(py),
        None => json_loads(py)?,
    };
    call::function(&loads, [text.bind(py)]).map(Bound::unbind)
}

/// The error for a message of another kind, as the WebSocket says it.
#[cold]
fn mistaken(message: &Bound<'_, PyAny>, kind: Kind, owner: Option<&Bound<'_, PyAny>>) -> PyErr {
    let py = message.py();
    let make = |owner| {
        let expected = if kind == Kind::Text { "a text message" } else { "a binary message" };
        let expected = memory::string(py, expected)?;
        call::method(owner, names::_mistaken(py), [message, expected.as_any()])
    };
    match owner.map(make) {
        // As `raise` does: what is being handled becomes its context.
        Some(Ok(error)) => PyErr::from_type(error.get_type(), error.unbind()),
        Some(Err(failed)) => failed,
        None => taken(),
    }
}
