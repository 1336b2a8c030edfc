//! What a call of a WebSocket's method comes to: where the caller is decides.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::event_loop::sent::Sent;
use super::event_loop::state::{Protocol, Receive, Sending, Wanted};
use super::event_loop::thread::{self, Home, Place};
use super::event_loop::unawaited::send_method;
use super::event_loop::{batch, send};
use super::values::outgoing::{Messages, Outgoing};
use super::values::payload;
use crate::registry::Opcode;

/// What a WebSocket knows of its connection without looking into it.
pub struct Handle {
    pub connection: Py<Protocol>,
    pub home: Arc<Home>,
    /// Seconds; for calls of `receive()` that give none.
    receive_timeout: Option<f64>,
    /// Whether permessage-deflate has to be thought of.
    compresses: bool,
    /// Whether messages and errors are made by a `Dialect`.
    pub dialect: bool,
    /// Whether sends are coroutines, which do nothing before they are awaited.
    defers: bool,
}

impl Handle {
    pub fn new(
        py: Python<'_>,
        connection: Py<Protocol>,
        receive_timeout: Option<f64>,
        defers: bool,
    ) -> PyResult<Self> {
        let receive_timeout =
            receive_timeout.map_or(Ok(None), |seconds| limit("receive_timeout", seconds))?;
        let (home, compresses, dialect) = {
            let me = connection.bind(py).borrow();
            (me.home.clone(), me.endpoint.compression().is_some(), me.maker.dialect.is_some())
        };
        Ok(Self { connection, home, receive_timeout, compresses, dialect, defers })
    }

    /// Send a text message of the WebSocket `owner`, which is kept until that is done.
    #[inline]
    pub fn send_text(
        &self,
        owner: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if self.defers {
            return self.defer(owner, send_method(Opcode::Text), data, compress);
        }
        let text = payload::text(data)?;
        self.send_data(owner, Opcode::Text, text.as_bytes(), compress)
    }

    /// Send a binary message, likewise.
    #[inline]
    pub fn send_binary(
        &self,
        owner: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if self.defers {
            return self.defer(owner, send_method(Opcode::Binary), data, compress);
        }
        let payload = payload::binary(data)?;
        self.send_data(owner, Opcode::Binary, &payload, compress)
    }

    #[inline]
    fn send_data(
        &self,
        owner: &Bound<'_, PyAny>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if !self.home.is_awake()
            && let Some(later) = self.send_later(owner, opcode, payload, compress)?
        {
            return Ok(later.into_any());
        }
        let connection = self.connection.bind(owner.py());
        if self.compresses || compress.is_some() {
            let wanted = compress.map(payload::is_compression_wanted).transpose()?;
            send::send_compressed(connection, opcode, payload, wanted)?;
        } else {
            send::send(connection, opcode, payload)?;
        }
        Sent::after_write(connection, opcode).map(Py::into_any)
    }

    /// Send several messages.
    pub fn send_many(
        &self,
        owner: &Bound<'_, PyAny>,
        messages: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Sent>> {
        if self.defers {
            return Sent::deferred_batch(owner, &self.connection, &self.home, messages);
        }
        let messages = Messages::of(messages)?;
        let connection = self.connection.bind(owner.py());
        // Asked after whatever the iterable has done.
        match self.home.place(owner.py())? {
            Place::Here => Sent::after_batch(connection, batch::send_many(connection, messages)?),
            Place::Elsewhere => {
                Sent::batch_elsewhere(owner, &self.connection, &self.home, messages)
            }
            Place::LoopClosed => Err(send::loop_closed(connection, Opcode::Text)),
        }
    }

    /// Send a ping or pong.
    pub fn send_control(
        &self,
        owner: &Bound<'_, PyAny>,
        opcode: Opcode,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if self.defers {
            let none = owner.py().None().into_bound(owner.py());
            return self.defer(owner, send_method(opcode), message.unwrap_or(&none), None);
        }
        let payload = payload::ping_payload(opcode, message)?;
        if let Some(later) = self.send_later(owner, opcode, &payload, None)? {
            return Ok(later.into_any());
        }
        let connection = self.connection.bind(owner.py());
        send::send_control(connection, opcode, &payload)?;
        Sent::after_write(connection, opcode).map(Py::into_any)
    }

    /// What sends a message when it is awaited: the method's coroutine, so to speak.
    #[inline]
    pub fn defer(
        &self,
        owner: &Bound<'_, PyAny>,
        method: (&'static str, Opcode),
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let connection = self.connection.bind(owner.py());
        Sending::of(owner, connection, &self.home, method, data, compress).map(Py::into_any)
    }

    /// What sends the frame later, if the caller is in another thread than the event loop's.
    fn send_later(
        &self,
        owner: &Bound<'_, PyAny>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<Sent>>> {
        match self.home.place(owner.py())? {
            Place::Here => Ok(None),
            Place::Elsewhere => {
                let wanted = compress.map(payload::is_compression_wanted).transpose()?;
                let message = Outgoing::copy(owner.py(), opcode, payload, wanted)?;
                Sent::elsewhere(owner, &self.connection, &self.home, message).map(Some)
            }
            Place::LoopClosed => Err(send::loop_closed(self.connection.bind(owner.py()), opcode)),
        }
    }

    /// What `receive()` and its like return.
    #[inline]
    pub fn receive(
        &self,
        owner: &Bound<'_, PyAny>,
        wanted: Wanted,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        let connection = self.connection.bind(owner.py());
        let timeout = match timeout {
            Some(seconds) => limit("timeout", seconds)?,
            None => self.receive_timeout,
        };
        if !self.home.is_awake() {
            match self.home.place(owner.py())? {
                Place::Here => {}
                Place::Elsewhere => {
                    return Receive::elsewhere(
                        owner,
                        connection,
                        &self.home,
                        wanted,
                        timeout,
                        self.dialect,
                    );
                }
                Place::LoopClosed => return Err(thread::loop_closed("receive")),
            }
        }
        Receive::of(owner, connection, wanted, timeout, self.dialect)
    }

    /// What waits for JSON.
    pub fn receive_json(
        &self,
        owner: &Bound<'_, PyAny>,
        loads: Option<Py<PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        let receive = self.receive(owner, Wanted::Json, timeout)?;
        let earlier = std::mem::replace(&mut receive.bind(owner.py()).borrow_mut().loads, loads);
        drop(earlier);
        Ok(receive)
    }

    /// What waits for a part of a message.
    pub fn receive_part(
        &self,
        owner: &Bound<'_, PyAny>,
        begins: bool,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        let wanted = if begins { Wanted::Part } else { Wanted::NextPart };
        let receive = self.receive(owner, wanted, timeout)?;
        receive.bind(owner.py()).borrow_mut().ask_first();
        Ok(receive)
    }
}

/// How many seconds to wait; `None` for no limit.
fn limit(name: &str, seconds: f64) -> PyResult<Option<f64>> {
    if seconds.is_nan() {
        return Err(PyValueError::new_err(format!("{name} is nan, expected a number of seconds")));
    }
    Ok((seconds < f64::INFINITY).then_some(seconds))
}
