//! What a connection is told of its transport, so that it need not ask.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

/// Says that a transport may have begun to close since a connection asked it last.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Alert(AtomicBool);

#[pymethods]
impl Alert {
    /// Raised at first.
    #[new]
    fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    /// Say so.
    #[pyo3(name = "raise_")]
    fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Alert {
    /// Whether it was raised; not any more, then.
    #[inline]
    pub fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}
