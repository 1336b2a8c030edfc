//! Busy polling: asking the socket again and again before a task goes to sleep.
//!
//! Being woken costs a sleep in the kernel and a pass of the event loop, some tens of microseconds
//! that asking does not; what it costs instead is the processor, and everybody else's turn.
//!
//! With TLS the transport reads when there is something: in the same call if it has a way to be told
//! (what it gives to the event loop's `add_reader`), else when the event loop has its turn, which need not
//! sleep then.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::state::Protocol;
use super::{output, reading, transport};
use crate::python::cpython::call;
use crate::python::socket::Socket;
use crate::python::socket::poll::becomes_readable;

/// Read the socket until there is a message, or the time is up that the connection or `timeout`
/// (seconds) allows. Not while something is still to be sent: only the event loop can do that.
#[cold]
pub fn poll(slf: &Bound<'_, Protocol>, timeout: Option<f64>) -> PyResult<()> {
    output::flush(slf)?;
    let now = Instant::now();
    let Some(mut deadline) = slf.borrow_mut().busy.as_mut().map(|busy| busy.deadline(now)) else {
        return Ok(());
    };
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(end) = timeout.and_then(|timeout| now.checked_add(timeout)) {
        deadline = deadline.min(end);
    }
    while waits(slf) && read_once(slf, deadline)? {}
    Ok(())
}

/// Whether the next message is still to come, and may.
fn waits(slf: &Bound<'_, Protocol>) -> bool {
    let me = slf.borrow();
    reading::reads(&me) && !me.endpoint.has_message() && !me.home.is_copy()
}

/// Wait for something to read until `deadline`, and have it read. Returns whether to go on.
fn read_once(slf: &Bound<'_, Protocol>, deadline: Instant) -> PyResult<bool> {
    let socket = slf.borrow().transport.socket;
    if let Some(socket) = socket {
        let readable = transport::is_drained(slf)? && wait(slf.py(), socket, deadline);
        if readable {
            reading::read_ready(slf)?;
        }
        return Ok(readable);
    }
    let Some((socket, read)) = ask_transport(slf)? else {
        return Ok(false);
    };
    if !wait(slf.py(), socket, deadline) {
        return Ok(false);
    }
    let Some(read) = read else {
        return Ok(false);
    };
    call::function(read.bind(slf.py()), [])?;
    Ok(true)
}

/// Other threads run meanwhile; this one's tasks do not.
fn wait(py: Python<'_>, socket: Socket, deadline: Instant) -> bool {
    py.detach(|| becomes_readable(socket, deadline))
}

/// The socket below a transport, and what lets that read; `None` while asking is of no use.
fn ask_transport(slf: &Bound<'_, Protocol>) -> PyResult<Option<(Socket, Option<Py<PyAny>>)>> {
    let py = slf.py();
    let (socket, read, unsent) = {
        let transport = &slf.borrow().transport;
        let polled = transport.polled.as_ref().filter(|polled| !polled.withholds);
        let Some(polled) = polled.filter(|_| transport.behind.is_none()) else {
            return Ok(None);
        };
        let read = polled.read.as_ref().map(|read| read.clone_ref(py));
        (polled.socket, read, polled.unsent.clone_ref(py))
    };
    // Some close the socket before they tell of it.
    if transport::is_closing(slf)? || call::function(unsent.bind(py), [])?.is_truthy()? {
        return Ok(None);
    }
    Ok(Some((socket, read)))
}
