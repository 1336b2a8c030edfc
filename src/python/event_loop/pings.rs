//! Pings whose pongs somebody awaits, each by a future of its own.

use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::send;
use super::state::Protocol;
use crate::keys;
use crate::python::cpython::{call, memory, names};
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
            me.endpoint.forget_ping(&payload).and_then(|place| me.pings.get_mut()?.remove(place))
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
    let me = &mut *slf.borrow_mut();
    let known = me.pings.wanted().and_then(|pings| {
        pings.try_reserve(1)?;
        me.endpoint.pinging(payload, Instant::now(), true)?;
        pings.push_back(future.clone_ref(slf.py()));
        Ok(())
    });
    known.map_err(|_| memory::exhausted(slf.py()))
}
