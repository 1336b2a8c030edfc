//! What the connections of a session that are gone have done, in numbers.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::endpoint::{self, Row};

/// What the connections of a session that are gone have done.
#[pyclass(frozen, module = "wsclient._core")]
#[derive(Default, Clone)]
pub struct Totals(Arc<Mutex<Row>>);

#[pymethods]
impl Totals {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// The numbers, in the order of the fields of `wsclient.Stats`.
    fn get(&self) -> Vec<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_vec()
    }
}

impl Totals {
    /// Add a connection's numbers.
    pub fn add(&self, row: &Row) {
        endpoint::add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), row);
    }
}
