//! `Sending`: sends that are coroutines.

use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use super::awaitable::{Awaitable, awaitable};
use super::state::{Protocol, Sending, Unsent};
use super::thread::Home;
use super::{room, send, unawaited};
use crate::python::cpython::slots::{self, Poll};
use crate::python::cpython::{call, interpreter, names};
use crate::python::values::payload;
use crate::registry::Opcode;

impl Sending {
    /// What sends `data` of the WebSocket `response`. In the loop's thread it may be the connection's
    /// last one, if nobody else holds that any more.
    pub fn of(
        response: &Bound<'_, PyAny>,
        protocol: &Bound<'_, Protocol>,
        home: &Arc<Home>,
        (method, opcode): (&'static str, Opcode),
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let spare = if home.is_awake() { protocol.borrow_mut().spare_sending.take() } else { None };
        let sending = match spare.filter(interpreter::is_only_reference) {
            Some(spare) => spare,
            None => Self::blank(protocol, home)?,
        };
        let mut me = sending.bind(protocol.py()).borrow_mut();
        me.opcode = opcode;
        me.method = method;
        me.due = Some(Unsent {
            response: response.clone().unbind(),
            data: data.clone().unbind(),
            compress: compress.map(|compress| compress.clone().unbind()),
        });
        drop(me);
        Ok(sending)
    }

    fn blank(protocol: &Bound<'_, Protocol>, home: &Arc<Home>) -> PyResult<Py<Self>> {
        let protocol_of_it = protocol.clone().unbind();
        let blank = Self {
            protocol: protocol_of_it,
            home: home.clone(),
            opcode: Opcode::Text,
            method: "",
            due: None,
            waiting: None,
        };
        Py::new(protocol.py(), blank)
    }

    /// The frame cannot be sent. Where nothing but data is handed out, who sends waits for the end, and
    /// is told as who receives.
    #[cold]
    fn fail(slf: &Bound<'_, Self>, protocol: &Bound<'_, Protocol>, error: PyErr) -> PyResult<Poll> {
        let py = slf.py();
        let is_end = error.is_instance_of::<PyOSError>(py);
        if !is_end || !protocol.borrow().endpoint.hands_out_only_data() {
            return Err(error);
        }
        let closed = call::method(protocol, names::closed(py), [error.value(py).as_any()])?;
        let waiting = call::method(&closed, names::__await__(py), [])?;
        let keep = |waiting| slf.borrow_mut().waiting = Some(waiting);
        room::wait(protocol, Some(waiting.cast_into::<PyIterator>()?.unbind()), keep)
    }
}

impl Unsent {
    fn send(&self, protocol: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<()> {
        let py = protocol.py();
        let compresses = protocol.borrow().endpoint.compression().is_some();
        let data = self.data.bind(py);
        if opcode.is_control() {
            let payload = payload::ping_payload(opcode, (!data.is_none()).then_some(data))?;
            return send::send_control(protocol, opcode, &payload);
        }
        let payload = match opcode {
            Opcode::Text => payload::text(data)?.as_bytes().into(),
            _ => payload::binary(data)?,
        };
        if !compresses && self.compress.is_none() {
            return send::send(protocol, opcode, &payload);
        }
        let compress = self.compress.as_ref().map(|compress| compress.bind(py));
        let wanted = compress.map(payload::is_compression_wanted).transpose()?;
        send::send_compressed(protocol, opcode, &payload, wanted)
    }
}

impl slots::Awaitable for Sending {
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        let (protocol, home, opcode, unsent, mut waiting) = {
            let mut me = slf.borrow_mut();
            let protocol = me.protocol.clone_ref(py).into_bound(py);
            let home = (!me.home.is_awake()).then(|| me.home.clone());
            (protocol, home, me.opcode, me.due.take(), me.waiting.take())
        };
        if let Some(home) = home
            && (unsent.is_some() || cfg!(Py_GIL_DISABLED))
            && let Err(error) = send::check_home(&home, &protocol, opcode)
        {
            return Self::fail(slf, &protocol, error);
        }
        if let Some(unsent) = unsent {
            if let Err(error) = unsent.send(&protocol, opcode) {
                return Self::fail(slf, &protocol, error);
            }
            let mut connection = protocol.borrow_mut();
            if connection.endpoint.holds(opcode) {
                drop(connection);
                waiting = room::turn(&protocol, opcode)?;
            } else if !connection.endpoint.is_writing_paused() {
                if connection.spare_sending.is_none() && !connection.is_lost() {
                    connection.spare_sending = Some(slf.clone().unbind());
                }
                return Ok(Poll::Ready(py.None()));
            }
        } else if waiting.is_none() {
            return Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine"));
        }
        let keep = |waiting| slf.borrow_mut().waiting = Some(waiting);
        room::wait(&protocol, waiting, keep).or_else(|error| Self::fail(slf, &protocol, error))
    }
}

impl Awaitable for Sending {
    /// Without the frame, if it is not sent.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let left = {
            let mut me = slf.borrow_mut();
            (me.due.take(), me.waiting.take())
        };
        drop(left);
        Ok(())
    }

    fn is_unawaited(slf: &Bound<'_, Self>) -> bool {
        slf.borrow().due.is_some()
    }

    fn method(&self) -> &'static str {
        self.method
    }
}

awaitable!(impl Sending {
    fn __repr__(&self) -> &'static str {
        match (&self.due, &self.waiting) {
            (Some(_), _) => "<Sending: not awaited>",
            (None, Some(_)) => "<Sending: sent, waits for room>",
            (None, None) => "<Sending: done>",
        }
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        if let Some(due) = &self.due {
            visit.call(&due.response)?;
            visit.call(&due.data)?;
            visit.call(&due.compress)?;
        }
        visit.call(&self.protocol)?;
        visit.call(&self.waiting)
    }

    /// What is due stays, to warn: the WebSocket breaks a cycle that goes through it.
    fn __clear__(&mut self) {
        self.waiting = None;
    }
});

impl Drop for Sending {
    fn drop(&mut self) {
        if self.due.is_some() {
            unawaited::warn(self.method(), false);
        }
    }
}
