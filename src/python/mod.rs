//! The binding to Python: `wsclient._core`.
#![allow(clippy::doc_markdown, reason = "Python's docstrings have Python's markup")]
#![allow(clippy::unused_self, clippy::needless_pass_by_value, reason = "PyO3 wants its signatures")]

mod anchor;
mod busy;
mod call;
mod calls;
mod closing;
mod compress;
mod counts;
mod dialect;
mod direct;
mod entry;
mod error;
mod fastcall;
mod flow;
mod framing;
mod future;
mod gathering;
mod http;
mod inbox;
mod ingest;
mod keys;
mod memory;
mod message;
mod names;
mod pings;
mod policy;
mod process;
mod protocol;
mod reader;
mod reads;
mod receive;
mod recycle;
mod response;
mod runtime;
mod scratch;
mod send;
mod settle;
mod slots;
mod socket;
mod text;
mod thread;
mod unawaited;
mod wake;

use pyo3::prelude::*;
use pyo3::types::PyModule;

/// The Rust core of wsclient.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // First: the classes below are made once for the process, and would belong to that interpreter.
    runtime::refuse_subinterpreter()?;
    module.add_class::<counts::Totals>()?;
    module.add_class::<dialect::Dialect>()?;
    module.add_class::<framing::Frame>()?;
    module.add_class::<framing::MessageParser>()?;
    module.add_class::<framing::Utf8Validator>()?;
    module.add_class::<message::Message>()?;
    module.add_class::<protocol::Protocol>()?;
    module.add_class::<receive::Receive>()?;
    module.add_class::<response::WebSocketBase>()?;
    module.add_class::<send::Sent>()?;
    module.add_function(wrap_pyfunction!(framing::apply_mask, module)?)?;
    module.add_function(wrap_pyfunction!(framing::encode_close, module)?)?;
    module.add_function(wrap_pyfunction!(framing::encode_frame, module)?)?;
    module.add_function(wrap_pyfunction!(framing::is_utf8, module)?)?;
    module.add_function(wrap_pyfunction!(framing::parse_close, module)?)?;
    module.add_function(wrap_pyfunction!(framing::parse_frame, module)?)?;
    module.add_function(wrap_pyfunction!(http::parse_switching_head, module)?)?;
    module.add_function(wrap_pyfunction!(process::forked, module)?)?;
    module.add_function(wrap_pyfunction!(process::forks, module)?)?;
    names::install(py);
    message::Message::install(py)?;
    recycle::install(py)?;
    fastcall::install(py)?;
    slots::install::<receive::Receive>(py);
    slots::install::<send::Sent>(py);
    Ok(())
}
