//! When a connection was last read, for those that want to know: heartbeats, and messages that say it.

use std::time::Instant;

use pyo3::prelude::*;

/// The time of the last read.
#[derive(Default)]
pub struct Reads {
    /// `None` unless somebody watches.
    last: Option<Instant>,
    /// Python's `time.monotonic`, if messages are to say when they were read.
    clock: Option<Py<PyAny>>,
    /// When the last read was, by that clock.
    pub at: Option<Py<PyAny>>,
}

impl Reads {
    /// Watch them from now on, if that is `wanted`.
    pub fn watched(wanted: bool) -> Self {
        Self { last: wanted.then(Instant::now), ..Self::default() }
    }

    /// Take the times by `clock`, too, which runs no Python code.
    pub fn take_times(&mut self, clock: Py<PyAny>) {
        self.watch();
        self.clock = Some(clock);
    }

    /// Bytes were read, or time in which this side did not want to read is over.
    #[inline]
    pub fn note(&mut self, py: Python<'_>) {
        if let Some(last) = &mut self.last {
            *last = Instant::now();
            #[expect(clippy::disallowed_methods, reason = "it runs no Python code")]
            let at = self.clock.as_ref().and_then(|clock| clock.call0(py).ok());
            self.at = at;
        }
    }

    /// Watch them.
    pub fn watch(&mut self) {
        self.last.get_or_insert_with(Instant::now);
    }

    /// The last one, if they are watched.
    pub fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Seconds since the last one, if they are watched.
    pub fn idle(&self) -> Option<f64> {
        self.last.map(|last| last.elapsed().as_secs_f64())
    }
}
