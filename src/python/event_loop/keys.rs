//! Which messages of a queue replace each other: the user's function is asked for their keys. It is
//! Python code, so it is called when the connection is not borrowed.

use std::mem;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::state::Protocol;
use crate::python::cpython::{call, memory, names};
use crate::python::values::errors;
use crate::python::values::message::Item;

/// Keys remembered beside those of messages that wait.
const REMEMBERED: usize = 64;

/// Ask for the keys of what has arrived, and put it where it belongs.
///
/// # Errors
/// `KeyboardInterrupt` and `SystemExit` from the function, when all has its place. Whatever else it
/// raises is for the event loop's exception handler.
#[cold]
pub fn ask(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let mut interrupt = Ok(());
    loop {
        let (function, latest, fresh) = {
            let me = &mut *slf.borrow_mut();
            let Some(keys) = &me.keys else { break };
            let Some(fresh) = me.endpoint.take_fresh() else { break };
            let (function, latest) = (keys.function.clone_ref(py), keys.latest.clone_ref(py));
            (function.into_bound(py), latest.into_bound(py), fresh)
        };
        let mut note = |error: PyErr| {
            if errors::ends_the_loop(py, &error) {
                // The first, if there are several.
                if interrupt.is_ok() {
                    interrupt = Err(error);
                }
            } else {
                report(slf, &error);
            }
        };
        for (item, size) in fresh {
            let key = if item.kind.is_data() {
                key_of(&function, &latest, &item).unwrap_or_else(|error| {
                    note(error);
                    None
                })
            } else {
                None
            };
            let instead = key.as_ref().and_then(|(_, number)| *number);
            let placed = {
                let mut me = slf.borrow_mut();
                let (endpoint, mut making) = me.at_work(py);
                endpoint.place((item, size), instead, &mut making)
            };
            // Without memory, what comes after it would come after a hole.
            let Ok(placed) = placed else { break };
            if let (Some((key, _)), Some(number)) = (key, placed) {
                set(&latest, &key, number).unwrap_or_else(&mut note);
            }
        }
        forget_gone(slf, &latest, note);
        slf.borrow_mut().endpoint.end_asking();
    }
    interrupt
}

/// The key of a message, unless it is `None`, and the number of the last message that had it.
fn key_of<'py>(
    key: &Bound<'py, PyAny>,
    latest: &Bound<'py, PyDict>,
    item: &Item,
) -> PyResult<Option<(Bound<'py, PyAny>, Option<u64>)>> {
    let py = key.py();
    let message = Item::new(item.kind, item.content.data.clone_ref(py), None).into_message(py);
    let message = message.map_err(|(error, _)| error)?;
    let found = call::function(key, [message.bind(py)])?;
    if found.is_none() {
        return Ok(None);
    }
    let number = call::item(latest, &found)?;
    let number = number.map(|number| number.extract()).transpose()?;
    Ok(Some((found, number)))
}

fn set(latest: &Bound<'_, PyDict>, key: &Bound<'_, PyAny>, number: u64) -> PyResult<()> {
    call::set_item(latest, key, &memory::int(latest.py(), number.cast_signed())?)
}

/// Let the dictionary not grow with keys of messages that were taken long ago.
fn forget_gone(slf: &Bound<'_, Protocol>, latest: &Bound<'_, PyDict>, mut note: impl FnMut(PyErr)) {
    let (first, waiting) = slf.borrow().endpoint.numbers();
    if latest.len() <= 2 * waiting + REMEMBERED {
        return;
    }
    let here = match memory::dict(slf.py()) {
        Ok(here) => here,
        Err(error) => return note(error),
    };
    for (key, number) in latest.iter() {
        if number.extract::<u64>().is_ok_and(|number| number >= first) {
            call::set_item(&here, &key, &number).unwrap_or_else(&mut note);
        }
    }
    let old = {
        let mut me = slf.borrow_mut();
        me.keys.as_mut().map(|keys| mem::replace(&mut keys.latest, here.unbind()))
    };
    // Apart, as the keys' own code may run.
    drop(old);
}

/// The message stays, whatever its key would have been; who reads the loop's log is told.
fn report(slf: &Bound<'_, Protocol>, error: &PyErr) {
    let py = slf.py();
    let tell = || -> PyResult<()> {
        let context = memory::dict(py)?;
        let text = memory::string(py, "the key function of a WebSocket's queue failed")?;
        context.set_item(names::message(py), text)?;
        context.set_item(names::exception(py), error.value(py))?;
        context.set_item(names::protocol(py), slf)?;
        let event_loop = slf.borrow().event_loop(py);
        call::method(&event_loop, names::call_exception_handler(py), [&context]).map(drop)
    };
    if let Err(error) = tell() {
        call::unraisable(py, error, Some(slf.as_any()));
    }
}
