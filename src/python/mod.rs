//! The binding to Python: `wsclient._core`.
#![allow(clippy::doc_markdown, reason = "Python's docstrings have Python's markup")]
#![allow(clippy::unused_self, clippy::needless_pass_by_value, reason = "PyO3 wants its signatures")]

mod busy;
mod call;
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
mod message;
mod pings;
mod policy;
mod protocol;
mod reader;
mod receive;
mod recycle;
mod response;
mod runtime;
mod scratch;
mod send;
mod settle;
mod slots;
mod text;
mod thread;
mod wake;

use pyo3::prelude::*;

/// The Rust core of wsclient.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::counts::Totals;
    #[pymodule_export]
    use super::dialect::Dialect;
    #[pymodule_export]
    use super::framing::MessageParser;
    #[pymodule_export]
    use super::framing::{
        Frame, Utf8Validator, apply_mask, encode_close, encode_frame, is_utf8, parse_close,
        parse_frame,
    };
    #[pymodule_export]
    use super::http::parse_switching_head;
    #[pymodule_export]
    use super::keys::discard_keys;
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::protocol::Protocol;
    #[pymodule_export]
    use super::receive::Receive;
    #[pymodule_export]
    use super::response::WebSocketBase;
    #[pymodule_export]
    use super::send::Sent;

    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        super::message::Message::install(module.py())?;
        super::recycle::install(module.py())?;
        super::fastcall::install(module.py())?;
        super::slots::install::<super::receive::Receive>(module.py());
        super::slots::install::<super::send::Sent>(module.py());
        Ok(())
    }
}
