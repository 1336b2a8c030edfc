//! Names of Python's methods, made when the module is loaded: made where they are used, they would
//! cost a string each time, and a panic where there is no memory for it.

use pyo3::prelude::*;
use pyo3::types::PyString;

macro_rules! names {
    ($($name:ident)*) => {
        $(
            #[inline]
            pub fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
                pyo3::intern!(py, stringify!($name))
            }
        )*

        /// Make all of them.
        pub fn install(py: Python<'_>) {
            $($name(py);)*
        }
    };
}

names! {
    __await__ _concurrent _end _expire _expired _leave _mistaken _recv_as _send_as _write_behind
    _write_gathered _wsclient_alert abort break_off call_exception_handler call_later call_soon
    call_soon_threadsafe cancel cancelled close closed create_future done exception get_debug
    get_extra_info get_write_buffer_size is_closing message os pause_reading protocol set_exception
    set_result strerror tobytes write write_nocheck
}
