//! What a connection has done, in numbers; each costs an addition.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use super::protocol::Protocol;

/// In the order of the fields of `wsclient.Stats`.
type Row = [u64; 14];
/// Where in a row the one number stands that does not add up: the high-water mark.
const HIGH_WATER: usize = 13;

/// What the binding counts; the core counts frames.
#[derive(Default)]
pub struct Counts {
    pub messages_received: u64,
    pub bytes_received: u64,
    pub messages_sent: u64,
    pub bytes_sent: u64,
    pub control_sent: u64,
    /// Of the messages that were compressed, bytes before and after.
    pub plain: u64,
    pub compressed: u64,
    pub pauses: u64,
}

impl Counts {
    #[inline]
    pub fn received(&mut self, size: usize) {
        self.messages_received += 1;
        self.bytes_received += size as u64;
    }

    #[inline]
    pub fn sent(&mut self, is_control: bool, size: usize) {
        if is_control {
            self.control_sent += 1;
        } else {
            self.messages_sent += 1;
            self.bytes_sent += size as u64;
        }
    }
}

impl Protocol {
    pub(super) fn row(&self) -> Row {
        let (ours, core) = (&self.counts, self.core.counts());
        [
            ours.messages_received,
            ours.bytes_received,
            core.data_frames + core.control_frames,
            core.control_frames,
            core.inflated,
            core.compressed,
            ours.messages_sent,
            ours.bytes_sent,
            ours.messages_sent + ours.control_sent + core.close_sent,
            ours.control_sent + core.close_sent,
            ours.plain,
            ours.compressed,
            ours.pauses,
            self.inbox.high_water() as u64,
        ]
    }
}

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
    pub fn add(&self, row: &Row) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, (sum, number)) in sums.iter_mut().zip(row).enumerate() {
            *sum = if index == HIGH_WATER { *number.max(sum) } else { *sum + number };
        }
    }
}

impl Drop for Protocol {
    fn drop(&mut self) {
        if let Some(totals) = &self.totals {
            totals.add(&self.row());
        }
    }
}
