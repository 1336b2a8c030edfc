//! Busy polling: asking the socket again and again before a task goes to sleep.
//!
//! Being woken costs a sleep in the kernel and a pass of the event loop, some tens of microseconds
//! that asking does not; what it costs instead is the processor, and everybody else's turn.

use std::hint;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::direct;
use super::flow;
use super::protocol::Protocol;
use super::socket::Socket;

/// The event loop cannot wait longer, nor can Ctrl-C.
const LONGEST: Duration = Duration::from_secs(1);

/// The time that a connection may poll for.
#[derive(Default)]
pub struct Busy {
    /// For this long in a row, before the event loop gets its turn.
    limit: Duration,
    /// When it began, if the event loop has not had a turn since.
    since: Option<Instant>,
}

impl Busy {
    /// Set how many seconds it polls; `None` if they are no such number, or too many.
    pub fn set_limit(&mut self, seconds: f64) -> Option<()> {
        self.limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| *limit <= LONGEST)?;
        Some(())
    }

    /// Whether it polls at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.limit.is_zero()
    }

    /// The event loop gets its turn.
    #[inline]
    pub fn give_way(&mut self) {
        self.since = None;
    }

    fn deadline(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.limit
    }
}

/// Read the socket until there is a message, or the time is up that the connection or `timeout`
/// (seconds) allows. Not while something is still to be sent: only the event loop can do that.
#[cold]
pub fn poll(slf: &Bound<'_, Protocol>, timeout: Option<f64>) -> PyResult<()> {
    let py = slf.py();
    let now = Instant::now();
    let mut deadline = slf.borrow_mut().busy.deadline(now);
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(end) = timeout.and_then(|timeout| now.checked_add(timeout)) {
        deadline = deadline.min(end);
    }
    loop {
        let socket = {
            let me = slf.borrow();
            let reads = me.core.is_reading() && !me.flow.is_paused() && !me.ending.lost;
            me.flow.socket.filter(|_| reads && !me.has_message())
        };
        let Some(socket) = socket else {
            return Ok(());
        };
        // Other threads run meanwhile; this one's tasks do not.
        if !flow::is_drained(slf)? || !py.detach(|| becomes_readable(socket, deadline)) {
            return Ok(());
        }
        direct::read_ready(slf)?;
    }
}

/// Whether there is something to read, an end or an error included, before `deadline`.
fn becomes_readable(socket: Socket, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        if socket.is_readable() {
            return true;
        }
        hint::spin_loop();
    }
    false
}
