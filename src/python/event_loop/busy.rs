//! Busy polling: asking the socket again and again before a task goes to sleep.
//!
//! Being woken costs a sleep in the kernel and a pass of the event loop, some tens of microseconds
//! that asking does not; what it costs instead is the processor, and everybody else's turn.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::state::Protocol;
use super::{output, reading, transport};
use crate::python::socket::poll::becomes_readable;

/// Read the socket until there is a message, or the time is up that the connection or `timeout`
/// (seconds) allows. Not while something is still to be sent: only the event loop can do that.
#[cold]
pub fn poll(slf: &Bound<'_, Protocol>, timeout: Option<f64>) -> PyResult<()> {
    let py = slf.py();
    output::flush(slf)?;
    let now = Instant::now();
    let mut deadline = slf.borrow_mut().busy.deadline(now);
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(end) = timeout.and_then(|timeout| now.checked_add(timeout)) {
        deadline = deadline.min(end);
    }
    loop {
        let socket = {
            let me = slf.borrow();
            let waits = reading::reads(&me) && !me.endpoint.has_message();
            me.transport.socket.filter(|_| waits)
        };
        let Some(socket) = socket else {
            return Ok(());
        };
        // Other threads run meanwhile; this one's tasks do not.
        let drained = transport::is_drained(slf)?;
        if !drained || !py.detach(|| becomes_readable(socket, deadline)) {
            return Ok(());
        }
        reading::read_ready(slf)?;
    }
}
