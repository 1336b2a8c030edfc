//! Pings whose pongs somebody awaits, each by a future of its own.

use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::state::Protocol;
use super::{failure, send};
use crate::keys;
use crate::python::cpython::{call, future, memory, names};
use crate::python::values::{errors, payload};
use crate::registry::Opcode;

/// Send a ping with this payload, or a random one; returns a future of the seconds until its pong.
pub fn round_trip(
    slf: &Bound<'_, Protocol>,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    send::check_place(slf, Opcode::Ping)?;
    let given = message.map(|_| payload::ping_payload(Opcode::Ping, message)).transpose()?;
    send::check_open(slf, Opcode::Ping)?;
    let payload = match given {
        Some(given) => given,
        None => unused(slf)?.to_vec().into(),
    };
    if slf.borrow().endpoint.pings().is_awaited(&payload) {
        let text = "a ping with the same message still waits for its pong";
        return Err(PyValueError::new_err(text));
    }
    let event_loop = slf.borrow().event_loop(slf.py());
    let future = call::method(&event_loop, names::create_future(slf.py()), [])?.unbind();
    note(slf, &payload, &future)?;
    if let Err(error) = send::send(slf, Opcode::Ping, &payload) {
        let forgotten = {
            let mut me = slf.borrow_mut();
            me.endpoint.forget_ping(&payload).and_then(|place| me.pings.remove(place))
        };
        drop(forgotten);
        return Err(error);
    }
    Ok(future)
}

/// A payload of four bytes that no ping under way has.
fn unused(slf: &Bound<'_, Protocol>) -> PyResult<[u8; 4]> {
    loop {
        let payload = keys::draw().map_err(errors::no_entropy)?;
        if !slf.borrow().endpoint.pings().is_awaited(&payload) {
            return Ok(payload);
        }
    }
}

/// Take note of a ping that is about to be sent, and of its future.
fn note(slf: &Bound<'_, Protocol>, payload: &[u8], future: &Py<PyAny>) -> PyResult<()> {
    let mut me = slf.borrow_mut();
    let known = me.pings.try_reserve(1);
    let known = known.and_then(|()| me.endpoint.pinging(payload, Instant::now(), true));
    known.map_err(|_| memory::exhausted(slf.py()))?;
    me.pings.push_back(future.clone_ref(slf.py()));
    Ok(())
}

/// Tell those whose pings were answered.
pub fn tell_answered(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    loop {
        let answered = {
            let mut me = slf.borrow_mut();
            let took = me.endpoint.take_round_trip();
            took.and_then(|took| Some((took, me.pings.pop_front()?)))
        };
        let Some((took, future)) = answered else {
            return Ok(());
        };
        let future = future.bind(py);
        let told = memory::float(py, took.as_secs_f64())
            .and_then(|seconds| future::finish_with(future, &seconds));
        if let Err(error) = told {
            future::fail(future, error.value(py))?;
            return Err(error);
        }
    }
}

/// Tell all others that no pong will come.
pub fn tell_gone(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let mut result = Ok(());
    loop {
        let (future, why, dialect) = {
            let mut me = slf.borrow_mut();
            let Some(future) = me.pings.pop_front() else {
                return result;
            };
            (future, send::why_not_open(&me), me.dialect(py))
        };
        let exception = if slf.borrow().endpoint.hands_out_only_data() {
            failure::ended(slf, false).into_value(py).into_any()
        } else {
            let cause = failure::exception(slf);
            errors::unanswered(py, &why, cause, dialect.as_ref())
        };
        let told = future::fail(future.bind(py), exception.bind(py));
        result = result.and(told);
    }
}
