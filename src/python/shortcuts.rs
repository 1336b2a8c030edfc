//! The short ways into the methods of a WebSocket that every message takes.

use pyo3::prelude::*;

use super::cpython::fastcall::{short, shorten};
use super::websocket::WebSocketBase;

short!(receive, RECEIVE, |slf, []| WebSocketBase::receive(slf, None));
short!(receive_bytes, RECEIVE_BYTES, |slf, []| WebSocketBase::receive_bytes(slf, None));
short!(receive_json, RECEIVE_JSON, |slf, []| WebSocketBase::receive_json(slf, None, None));
short!(receive_str, RECEIVE_STR, |slf, []| WebSocketBase::receive_str(slf, None));
short!(send_bytes, SEND_BYTES, |slf, [data]| WebSocketBase::send_bytes(slf, data, None));
short!(send_str, SEND_STR, |slf, [data]| WebSocketBase::send_str(slf, data, None));

/// Put them in front; called before the class has instances.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<WebSocketBase>();
    shorten(&class, "receive", receive, &RECEIVE)?;
    shorten(&class, "receive_bytes", receive_bytes, &RECEIVE_BYTES)?;
    shorten(&class, "receive_json", receive_json, &RECEIVE_JSON)?;
    shorten(&class, "receive_str", receive_str, &RECEIVE_STR)?;
    shorten(&class, "send_bytes", send_bytes, &SEND_BYTES)?;
    shorten(&class, "send_str", send_str, &SEND_STR)
}
