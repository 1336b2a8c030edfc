//! The binding to Python: `wsclient._core`.
#![allow(clippy::doc_markdown, reason = "Python's docstrings have Python's markup")]
#![allow(clippy::unused_self, clippy::needless_pass_by_value, reason = "PyO3 wants its signatures")]

mod calls;
mod connection;
mod cpython;
mod event_loop;
mod framing;
mod http;
mod receives;
mod sends;
mod shortcuts;
mod socket;
mod values;
mod websocket;

use pyo3::prelude::*;
use pyo3::types::PyModule;

use cpython::{completion, interpreter, names, process, slots};
use event_loop::sent::Sent;
use event_loop::state::{Receive, Sending};
use values::message::Message;

/// The Rust core of wsclient.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // First: the classes below are made once for the process, and would belong to that interpreter.
    interpreter::refuse_subinterpreter()?;
    module.add_class::<cpython::cython::Tables>()?;
    module.add_class::<values::alert::Alert>()?;
    module.add_class::<values::totals::Totals>()?;
    module.add_class::<values::dialect::Dialect>()?;
    module.add_class::<values::journal::Journal>()?;
    module.add_class::<framing::Frame>()?;
    module.add_class::<framing::MessageParser>()?;
    module.add_class::<framing::Utf8Validator>()?;
    module.add_class::<Message>()?;
    module.add_class::<event_loop::state::Protocol>()?;
    module.add_class::<event_loop::buffer::Buffer>()?;
    module.add_class::<Receive>()?;
    module.add_class::<websocket::WebSocketBase>()?;
    module.add_class::<connection::ConnectionBase>()?;
    module.add_class::<connection::Messages>()?;
    module.add_class::<event_loop::cork::Cork>()?;
    module.add_class::<Sent>()?;
    module.add_class::<Sending>()?;
    module.add_function(wrap_pyfunction!(framing::apply_mask, module)?)?;
    module.add_function(wrap_pyfunction!(framing::encode_close, module)?)?;
    module.add_function(wrap_pyfunction!(framing::encode_frame, module)?)?;
    module.add_function(wrap_pyfunction!(framing::is_utf8, module)?)?;
    module.add_function(wrap_pyfunction!(framing::parse_close, module)?)?;
    module.add_function(wrap_pyfunction!(framing::parse_frame, module)?)?;
    module.add_function(wrap_pyfunction!(http::parse_switching_head, module)?)?;
    module.add_function(wrap_pyfunction!(process::forked, module)?)?;
    module.add_function(wrap_pyfunction!(process::forks, module)?)?;
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    names::install(py);
    Message::install(py)?;
    shortcuts::install(py)?;
    completion::install(module)?;
    slots::install::<Receive>(py);
    slots::install::<Sent>(py);
    slots::install::<Sending>(py);
    Ok(())
}
