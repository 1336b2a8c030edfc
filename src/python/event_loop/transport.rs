//! What is asked and told of the transport below a connection, and who waits for it.

use std::mem;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::failure;
use super::state::{Protocol, Waiters};
use crate::python::cpython::cython::{Tables, Writer};
use crate::python::cpython::{call, future, memory, names};

/// The transport that meets the socket: asyncio's own with TLS does not say when that one closes.
fn lowest<'py>(transport: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let below = transport.getattr("_ssl_protocol").and_then(|ssl| ssl.getattr("_transport"));
    below.ok().filter(|below| !below.is_none()).unwrap_or_else(|| transport.clone())
}

/// Take over an open transport, whose reading is paused.
pub fn connect(slf: &Bound<'_, Protocol>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = slf.py();
    // aiofastnet's for callers that keep to their thread, and give it what can be written.
    let write = match transport.getattr_opt(names::write_nocheck(py))? {
        Some(write) => write,
        None => transport.getattr(names::write(py))?,
    };
    let is_closing = lowest(transport).getattr(names::is_closing(py))?;
    let alert = transport.getattr_opt(names::_wsclient_alert(py))?;
    let mut me = slf.borrow_mut();
    me.transport.write = Some(Writer::by_method(write));
    me.transport.is_closing = Some(is_closing.unbind());
    me.transport.alert = alert.and_then(|alert| alert.cast_into().ok()).map(Bound::unbind);
    me.transport.object = Some(transport.clone().unbind());
    me.endpoint.begin_paused();
    Ok(())
}

/// Write to the transport by its table, if that is known; see `cpython/cython.rs`.
///
/// # Errors
/// As for looking at attributes.
pub fn write_by_table(slf: &Bound<'_, Protocol>, tables: &Tables) -> PyResult<()> {
    let py = slf.py();
    let transport = slf.borrow().transport.object.as_ref().map(|object| object.clone_ref(py));
    let Some(transport) = transport else {
        return Ok(());
    };
    if let Some(writer) = Writer::by_table(transport.bind(py), tables)? {
        let earlier = slf.borrow_mut().transport.write.replace(writer);
        drop(earlier);
    }
    Ok(())
}

/// Call a method of the transport without arguments; with no transport, nothing.
pub fn tell(slf: &Bound<'_, Protocol>, method: &Bound<'_, PyString>) -> PyResult<()> {
    let transport = slf.borrow().transport.object.as_ref().map(|t| t.clone_ref(slf.py()));
    match transport {
        Some(transport) => call::method(transport.bind(slf.py()), method, []).map(drop),
        None => Ok(()),
    }
}

/// Tell the transport to pause reading, or to go on.
pub fn pause_reading(slf: &Bound<'_, Protocol>, pause: bool) -> PyResult<()> {
    let py = slf.py();
    if pause {
        return tell(slf, names::pause_reading(py));
    }
    let (resume, transport) = {
        let me = &mut *slf.borrow_mut();
        me.maker.note_read(py);
        if let Some(polled) = &mut me.transport.polled {
            polled.withholds = true;
        }
        let resume = me.transport.resume_reading.as_ref().map(|resume| resume.clone_ref(py));
        (resume, me.transport.object.as_ref().map(|transport| transport.clone_ref(py)))
    };
    match (resume, transport) {
        (Some(resume), Some(transport)) => {
            call::function(resume.bind(py), [transport.bind(py)]).map(drop)
        }
        _ => Ok(()),
    }
}

/// Give whole frames to the transport; with none, they are dropped. An error may mean that a part has
/// left.
///
/// Code that runs while the transport takes them (a finalizer, a signal's handler) may come here again,
/// where the transport has written a part and not queued the rest yet: its frames come behind.
pub fn write(slf: &Bound<'_, Protocol>, frames: &Bound<'_, PyBytes>) -> PyResult<()> {
    let py = slf.py();
    if !slf.borrow().transport.backlog.piece.is_empty() {
        return write_after_gathered(slf, frames);
    }
    let write = {
        let mut me = slf.borrow_mut();
        let transport = &mut me.transport;
        let Some(write) = &transport.write else {
            return Ok(());
        };
        if let Some(behind) = &mut transport.behind {
            let frames = frames.as_bytes();
            behind.try_reserve(frames.len()).map_err(|_| memory::exhausted(py))?;
            behind.extend_from_slice(frames);
            return Ok(());
        }
        let write = write.clone_ref(py);
        transport.behind = Some(Vec::new());
        transport.given();
        write
    };
    let result = write.write(frames);
    write_behind(slf, result)
}

/// The same behind those that were gathered before.
#[cold]
fn write_after_gathered(slf: &Bound<'_, Protocol>, frames: &Bound<'_, PyBytes>) -> PyResult<()> {
    let py = slf.py();
    let mut piece = mem::take(&mut slf.borrow_mut().transport.backlog.piece);
    piece.push_frames(frames.as_bytes()).map_err(|_| memory::exhausted(py))?;
    let all = memory::bytes(py, piece.as_slice());
    piece.finish();
    write(slf, &all?)
}

/// What came while the transport took something follows it, if that went well. What comes meanwhile
/// again has to wait for the event loop's next turn: code that sends whenever something is written would
/// not let this end.
pub fn write_behind(slf: &Bound<'_, Protocol>, before: PyResult<()>) -> PyResult<()> {
    let py = slf.py();
    let (write, frames) = {
        let transport = &mut slf.borrow_mut().transport;
        let write = transport.write.as_ref().filter(|_| before.is_ok());
        let (Some(write), Some(behind)) = (write, &mut transport.behind) else {
            transport.behind = None;
            return before;
        };
        if behind.is_empty() {
            transport.behind = None;
            return before;
        }
        (write.clone_ref(py), mem::take(behind))
    };
    // All at once: each call may lead to more.
    let mut result = memory::bytes(py, &frames).and_then(|frames| write.write(&frames));
    let more = slf.borrow().transport.behind.as_ref().is_some_and(|behind| !behind.is_empty());
    if result.is_ok() && more {
        let event_loop = slf.borrow().event_loop(py);
        let again = slf.getattr(names::_write_behind(py));
        result = again
            .and_then(|again| call::method(&event_loop, names::call_soon(py), [&again]))
            .map(drop);
        if result.is_ok() {
            return result;
        }
    }
    slf.borrow_mut().transport.behind = None;
    result
}

/// Whether the transport has found that it cannot write any more.
#[inline]
pub fn is_severed(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    let quiet = slf.borrow().transport.alert.as_ref().is_some_and(|alert| !alert.get().take());
    if quiet { Ok(false) } else { is_closing(slf) }
}

/// Whether the transport that meets the socket is closing.
pub fn is_closing(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    let py = slf.py();
    let ask = slf.borrow().transport.is_closing.as_ref().map(|ask| ask.clone_ref(py));
    ask.map_or(Ok(false), |ask| call::builtin(ask.bind(py), None)?.is_truthy())
}

/// Whether the transport has nothing queued, nor is taking anything.
#[inline]
pub fn is_drained(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    if slf.borrow().transport.queued { look_drained(slf) } else { Ok(true) }
}

fn look_drained(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    let py = slf.py();
    let (transport, writes) = {
        let transport = &slf.borrow().transport;
        let object = transport.object.as_ref().filter(|_| transport.behind.is_none());
        (object.map(|object| object.clone_ref(py)), transport.writes)
    };
    let Some(transport) = transport else {
        return Ok(false);
    };
    let size = call::method(transport.bind(py), names::get_write_buffer_size(py), [])?;
    let empty = !size.is_truthy()?;
    let transport = &mut slf.borrow_mut().transport;
    // Unless something was written while it was asked.
    let drained = empty && transport.writes == writes;
    transport.queued = !drained;
    Ok(drained)
}

/// A future of the connection's event loop, which is done when [`release`] gets it.
fn waiter(
    slf: &Bound<'_, Protocol>,
    list: fn(&mut Waiters) -> &mut Vec<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let py = slf.py();
    let event_loop = slf.borrow().event_loop(py);
    let waiter = call::method(&event_loop, names::create_future(py), [])?.unbind();
    let waiters = &mut slf.borrow_mut().transport.waiters;
    let waiters = waiters.wanted().map_err(|_| memory::exhausted(py))?;
    list(waiters).push(waiter.clone_ref(py));
    Ok(waiter)
}

/// All on one of the lists, which is empty then.
fn take_waiters(
    slf: &Bound<'_, Protocol>,
    list: fn(&mut Waiters) -> &mut Vec<Py<PyAny>>,
) -> Vec<Py<PyAny>> {
    let waiters = &mut slf.borrow_mut().transport.waiters;
    waiters.get_mut().map(|waiters| mem::take(list(waiters))).unwrap_or_default()
}

/// A future that is done when the transport has room or is gone; `None` if it has.
pub fn wait_writable(slf: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let waits = {
        let me = slf.borrow();
        me.endpoint.is_writing_paused() && !me.is_lost()
    };
    if waits { waiter(slf, |waiters| &mut waiters.senders).map(Some) } else { Ok(None) }
}

/// A future that is done when the message in fragments that is under way has ended, with an error if
/// nothing can be sent after it.
pub fn wait_turn(slf: &Bound<'_, Protocol>) -> PyResult<Py<PyAny>> {
    waiter(slf, |waiters| &mut waiters.turns)
}

/// A future that is done when the transport is gone, or `None` if it is.
pub fn wait_lost(slf: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    if slf.borrow().is_lost() {
        return Ok(None);
    }
    waiter(slf, |waiters| &mut waiters.closers).map(Some)
}

/// Let those go on who wait for room.
pub fn release_senders(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let senders = take_waiters(slf, |waiters| &mut waiters.senders);
    release(slf.py(), &senders)
}

/// Let those go on who wait for their turn to send, or tell them that it does not come.
pub fn release_turns(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let turns = take_waiters(slf, |waiters| &mut waiters.turns);
    if slf.borrow().endpoint.is_open() {
        return release(slf.py(), &turns);
    }
    turns.iter().try_for_each(|turn| {
        let error = failure::not_open(slf, "more").into_value(slf.py());
        future::fail(turn.bind(slf.py()), error.bind(slf.py()))
    })
}

/// Let those go on who wait for the end.
pub fn release_closers(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let closers = take_waiters(slf, |waiters| &mut waiters.closers);
    release(slf.py(), &closers)
}

/// Finish futures that nobody has finished or cancelled yet.
fn release(py: Python<'_>, futures: &[Py<PyAny>]) -> PyResult<()> {
    futures.iter().try_for_each(|future| future::finish(future.bind(py)))
}
