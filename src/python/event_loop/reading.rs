//! What arrives, from the socket or by way of the transport.
//!
//! While a plain TCP transport leaves reading to its protocol, what arrives goes straight from the socket
//! to the parser. The transport would do the same; its part costs 900 instructions a read, where it calls
//! the protocol twice.

use std::io;

use pyo3::prelude::*;

use super::failure;
use super::settle::settle;
use super::state::Protocol;
use super::transport;
use crate::endpoint::{Fate, Phase};
use crate::python::cpython::cython::Reader;
use crate::python::cpython::names;
use crate::python::socket::{Socket, read, scratch};
use crate::python::values::errors;
use crate::registry::code;

/// Bytes were read before the transport was handed over.
pub fn feed(slf: &Bound<'_, Protocol>, data: &[u8]) -> PyResult<()> {
    {
        let mut me = slf.borrow_mut();
        me.maker.note_read(slf.py());
        let (endpoint, mut making) = me.at_work(slf.py());
        endpoint.read(data, &mut making);
    }
    settle(slf)
}

impl Reader for Protocol {
    #[inline]
    fn place(py: Python<'_>) -> PyResult<(*mut u8, usize)> {
        scratch::place(py)
    }

    #[inline]
    fn updated(slf: &Bound<'_, Self>, length: usize) -> PyResult<()> {
        buffer_updated(slf, length)
    }
}

/// The transport has read to the thread's buffer.
pub fn buffer_updated(slf: &Bound<'_, Protocol>, length: usize) -> PyResult<()> {
    let py = slf.py();
    scratch::with(py, |buffer| {
        let mut me = slf.borrow_mut();
        me.maker.note_read(py);
        if let Some(polled) = &mut me.transport.polled {
            polled.handed_over(length >= buffer.len());
        }
        let (endpoint, mut making) = me.at_work(py);
        endpoint.read(&buffer[..length.min(buffer.len())], &mut making);
    })?;
    settle(slf)
}

/// Read the socket once; the loop calls again if there is more.
pub fn read_ready(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let received = scratch::with(py, |buffer| {
        let me = &mut *slf.borrow_mut();
        // What comes is for the parent, if the child of a fork lets the loop run on.
        let socket = me.transport.socket.filter(|_| !me.home.is_copy())?;
        me.maker.note_read(py);
        Some(receive(me, py, socket, buffer))
    })?;
    let Some(received) = received else {
        return Ok(());
    };
    match received {
        Ok(0) => {
            end_of_file(slf)?;
            // As a transport does that reads the end.
            transport::tell(slf, names::close(py))
        }
        Ok(_) => settle(slf),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(())
        }
        Err(error) => {
            failure::by_transport(slf, errors::from_system(py, &error)?);
            settle(slf)
        }
    }
}

/// Receive once and parse; returns how many bytes there were.
fn receive(
    me: &mut Protocol,
    py: Python<'_>,
    socket: Socket,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let (placed, length) = read::receive(socket, me.maker.gathering.as_mut(), buffer)?;
    let (endpoint, mut making) = me.at_work(py);
    if placed > 0 {
        endpoint.gathered(placed, &mut making);
    }
    endpoint.read(&buffer[..length], &mut making);
    Ok(placed + length)
}

/// The peer sends nothing more.
pub fn end_of_file(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    slf.borrow_mut().endpoint.end_of_file();
    settle(slf)
}

/// The transport is gone.
pub fn connection_lost(slf: &Bound<'_, Protocol>, cause: Option<Py<PyAny>>) -> PyResult<()> {
    let py = slf.py();
    let ours = {
        let mut me = slf.borrow_mut();
        let (endpoint, mut making) = me.at_work(py);
        endpoint.lose(&mut making)
    };
    if cause.is_some() || !ours {
        failure::explain(slf, cause.map(|cause| PyErr::from_value(cause.into_bound(py))));
    }
    record_end(slf);
    settle(slf)
}

#[inline]
fn record_end(slf: &Bound<'_, Protocol>) {
    let me = slf.borrow();
    if let Some(record) = &me.maker.record {
        record.ended(slf.py(), me.endpoint.fate().map_or(code::ABNORMAL, Fate::code));
    }
}

/// Whether the socket can be asked for more.
pub fn reads(me: &Protocol) -> bool {
    me.endpoint.is_reading()
        && !me.endpoint.is_reading_paused()
        && me.endpoint.phase() != Phase::Gone
}
