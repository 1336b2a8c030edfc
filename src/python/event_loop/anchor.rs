//! Open connections are anchored to their event loop until they are lost.
//!
//! While a transport reads, its loop holds it. While reading is paused nobody does, and the garbage
//! collector would finalize, in any order, what a user has forgotten: the socket before the transport
//! that is to close it, so that its number belongs to another when the transport says to the loop that
//! it is not to be watched.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PySet;

use super::state::Protocol;

/// Let the event loop hold the connection.
pub fn hold(protocol: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = protocol.py();
    let event_loop = protocol.borrow().event_loop(py);
    let name = intern!(py, "_wsclient_open");
    let open = match event_loop.getattr(name) {
        Ok(open) => open.cast_into::<PySet>()?,
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => {
            let open = PySet::empty(py)?;
            // Some loop may have no room for it.
            if event_loop.setattr(name, &open).is_err() {
                return Ok(());
            }
            open
        }
        Err(error) => return Err(error),
    };
    open.add(protocol)
}

/// The connection is lost.
pub fn release(protocol: &Bound<'_, Protocol>) {
    let py = protocol.py();
    let event_loop = protocol.borrow().event_loop(py);
    if let Ok(open) = event_loop.getattr(intern!(py, "_wsclient_open"))
        && let Ok(open) = open.cast::<PySet>()
    {
        // That it is not there fails nothing.
        let _ = open.discard(protocol);
    }
}
