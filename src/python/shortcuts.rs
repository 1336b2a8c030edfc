//! The short ways into the methods of a WebSocket, and of its protocol, that every message takes.

use pyo3::prelude::*;

use super::cpython::fastcall::{short, shorten};
use super::event_loop::state::Protocol;
use super::websocket::WebSocketBase;

short!(receive, RECEIVE, |slf, []| WebSocketBase::receive(slf, None));
short!(receive_bytes, RECEIVE_BYTES, |slf, []| WebSocketBase::receive_bytes(slf, None));
short!(receive_json, RECEIVE_JSON, |slf, []| WebSocketBase::receive_json(slf, None, None));
short!(receive_str, RECEIVE_STR, |slf, []| WebSocketBase::receive_str(slf, None));
short!(send_bytes, SEND_BYTES, |slf, [data]| WebSocketBase::send_bytes(slf, data, None));
short!(send_str, SEND_STR, |slf, [data]| WebSocketBase::send_str(slf, data, None));

short!(get_buffer, GET_BUFFER, |slf, [_sizehint]| Protocol::get_buffer(slf, 0));
short!(buffer_updated, BUFFER_UPDATED, |slf, [nbytes]| {
    Protocol::buffer_updated(slf, nbytes.extract()?).map(|()| slf.py().None())
});

/// Put them in front; called before the class has instances.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<WebSocketBase>();
    shorten(&class, "receive", receive, &RECEIVE)?;
    shorten(&class, "receive_bytes", receive_bytes, &RECEIVE_BYTES)?;
    shorten(&class, "receive_json", receive_json, &RECEIVE_JSON)?;
    shorten(&class, "receive_str", receive_str, &RECEIVE_STR)?;
    shorten(&class, "send_bytes", send_bytes, &SEND_BYTES)?;
    shorten(&class, "send_str", send_str, &SEND_STR)?;
    let class = py.get_type::<Protocol>();
    shorten(&class, "get_buffer", get_buffer, &GET_BUFFER)?;
    shorten(&class, "buffer_updated", buffer_updated, &BUFFER_UPDATED)
}
