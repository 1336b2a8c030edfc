//! Text messages as `str`.

use std::ffi::c_void;
use std::{ptr, slice};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::transcode::{self, Unit, Width};

/// What `str(text, "utf-8")` makes; see [`transcode`] for why it is not called.
#[inline]
pub fn string<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let (length, width) = transcode::measure(text);
    let widest = match width {
        Width::Ascii => 0x7F,
        Width::Latin1 => 0xFF,
        Width::Ucs2 => 0xFFFF,
        Width::Ucs4 => 0x10_FFFF,
    };
    // SAFETY: nobody else has seen the new string, so that it may be written; text without
    // characters is the one empty string, of which nothing is written. It has room for as many
    // units as it was made for, of the size that the widest character needs.
    unsafe {
        let object = ffi::PyUnicode_New(length.cast_signed(), widest);
        let string = Bound::from_owned_ptr_or_err(py, object)?;
        let data = ffi::PyUnicode_DATA(object);
        match width {
            Width::Ascii => ptr::copy_nonoverlapping(text.as_ptr(), data.cast(), length),
            Width::Latin1 => write::<u8>(text, data, length),
            Width::Ucs2 => write::<u16>(text, data, length),
            Width::Ucs4 => write::<u32>(text, data, length),
        }
        Ok(string)
    }
}

/// # Safety
/// From `data` on, `length` units may be written.
unsafe fn write<U: Unit>(text: &str, data: *mut c_void, length: usize) {
    // SAFETY: the caller's promise. What is there is written over, and not read before.
    transcode::write(text, unsafe { slice::from_raw_parts_mut(data.cast::<U>(), length) });
}
