//! When a connection was last read, for those that want to know: heartbeats, and messages that say it.

use std::time::Instant;

use pyo3::prelude::*;

/// The time of the last read.
pub struct Reads {
    last: Instant,
    /// Python's `time.monotonic`, if messages are to say when they were read.
    clock: Option<Py<PyAny>>,
    /// When the last read was, by that clock.
    pub at: Option<Py<PyAny>>,
}

impl Reads {
    /// Watched from now on.
    pub fn new() -> Self {
        Self { last: Instant::now(), clock: None, at: None }
    }

    /// Take the times by `clock`, too, which runs no Python code.
    pub fn take_times(&mut self, clock: Py<PyAny>) {
        self.clock = Some(clock);
    }

    /// Bytes were read, or time in which this side did not want to read is over.
    pub fn note(&mut self, py: Python<'_>) {
        self.last = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "it runs no Python code")]
        let at = self.clock.as_ref().and_then(|clock| clock.call0(py).ok());
        self.at = at;
    }

    /// The last one.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Seconds since the last one.
    pub fn idle(&self) -> f64 {
        self.last.elapsed().as_secs_f64()
    }
}
