//! The supply of masking keys, one for each thread.

use std::cell::RefCell;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::mask::{Key, Keys};

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys::new()) };
}

/// The next masking key.
#[inline]
pub fn draw() -> PyResult<Key> {
    KEYS.with_borrow_mut(Keys::draw)
        .map_err(|error| PyOSError::new_err(format!("no entropy for a masking key: {error}")))
}

/// Forget the keys in stock: a child must not mask with those of its parent (RFC 6455 §10.3).
pub fn discard() {
    KEYS.with_borrow_mut(Keys::discard);
}
