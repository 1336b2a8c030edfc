//! The process that a connection belongs to.
//!
//! The child of a fork has copies of its parent's connections, but the socket and what the event loop
//! has registered with the system it shares: to close a copy would take the parent's from its loop.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use crate::keys;

/// How many forks lie between this process and the first that imported the package.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// A number that tells a process from its parent.
#[pyfunction]
#[inline]
pub fn forks() -> usize {
    FORKS.load(Ordering::Relaxed)
}

/// Take note of `os.fork()`; to be called in the child.
#[pyfunction]
pub fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    keys::discard();
}

/// The thread's number, which is the address of something of its own.
#[cfg(unix)]
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it is as long as a pointer")]
pub fn thread_number() -> usize {
    // SAFETY: the call has no preconditions.
    unsafe { libc::pthread_self() as usize }
}

/// The thread's number, which is the address of something of its own.
#[cfg(not(unix))]
pub fn thread_number() -> usize {
    thread_local! {
        static ITS_OWN: u8 = const { 0 };
    }
    ITS_OWN.with(|byte| std::ptr::from_ref(byte).addr())
}
