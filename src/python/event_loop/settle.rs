//! What the endpoint says is due is carried out here.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::state::{Awaited, Protocol};
use super::{anchor, failure, keys, pongs, transport, waking};
use crate::endpoint::{Due, LINGER, Phase};
use crate::python::cpython::{call, memory, names};

/// After a change of state: carry out what it calls for, and wake the reader if it has something.
#[inline]
pub fn settle(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let due = slf.borrow().endpoint.due();
    let result = if due.without(Due::WAKE) == Due::NOTHING { Ok(()) } else { carry_out(slf) };
    wake_reader(slf)?;
    result
}

#[inline]
fn wake_reader(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let reader = {
        let me = &mut *slf.borrow_mut();
        if !me.endpoint.take_due(Due::WAKE) || !me.endpoint.has_message() {
            return Ok(());
        }
        me.reader.as_ref().map(|reader| reader.clone_ref(slf.py()).into_bound(slf.py()))
    };
    reader.map_or(Ok(()), |reader| waking::go_on(reader, Awaited::Woken))
}

/// All but the reader, whose turn comes last: in an order that bears whatever Python code does meanwhile,
/// be it to come here again.
///
/// What fails is due again, or is the connection's end.
#[cold]
fn carry_out(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let take = |thing| slf.borrow_mut().endpoint.take_due(thing);
    if slf.borrow().home.is_copy() {
        return Ok(());
    }
    let mut interrupt = Ok(());
    loop {
        if take(Due::PARSE) {
            let mut me = slf.borrow_mut();
            let (endpoint, mut making) = me.at_work(slf.py());
            endpoint.parse_held(&mut making);
        } else if take(Due::KEYS) {
            let asked = keys::ask(slf);
            interrupt = interrupt.and(asked);
        } else {
            break;
        }
    }
    if slf.borrow().endpoint.due().has(Due::WRITE) {
        write_owed(slf)?;
    }
    let pause = slf.borrow_mut().endpoint.take_reading();
    if let Some(pause) = pause
        && let Err(error) = transport::pause_reading(slf, pause)
    {
        // What has been taken is the reader's all the same.
        if !error.is_instance_of::<PyException>(slf.py()) {
            return Err(error);
        }
        failure::by_transport(slf, error);
    }
    if take(Due::ABORT) {
        transport::tell(slf, names::abort(slf.py())).inspect_err(|_| owe(slf, Due::ABORT))?;
    }
    if take(Due::TIMER) {
        start_timer(slf).inspect_err(|_| owe(slf, Due::TIMER))?;
    }
    if take(Due::TURN) {
        transport::release_turns(slf)?;
    }
    if take(Due::ROOM) {
        transport::release_senders(slf)?;
    }
    if take(Due::PONGS) {
        pongs::tell_answered(slf).inspect_err(|_| owe(slf, Due::PONGS))?;
    }
    if take(Due::GONE) {
        part(slf)?;
    }
    interrupt
}

fn owe(slf: &Bound<'_, Protocol>, thing: Due) {
    slf.borrow_mut().endpoint.owe_thing(thing);
}

fn write_owed(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let frames = {
        let me = &mut *slf.borrow_mut();
        let writes = me.endpoint.phase() != Phase::Aborting;
        if let Some(record) = me.maker.record.as_mut().filter(|_| writes) {
            record.sends_close(slf.py(), me.endpoint.sent_close().map(|(frame, _)| frame));
        }
        me.endpoint.take_frames()
    };
    let Ok(frames) = memory::bytes(slf.py(), &frames) else {
        let mut me = slf.borrow_mut();
        let (endpoint, mut making) = me.at_work(slf.py());
        endpoint.run_out_of_memory(&mut making);
        return Ok(());
    };
    transport::write(slf, &frames).inspect_err(|error| failure::cut_off(slf, error))
}

/// Let the ending's next step not take for ever.
fn start_timer(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    cancel_timer(slf)?;
    let event_loop = slf.borrow().event_loop(py);
    let (delay, then) =
        (memory::float(py, LINGER.as_secs_f64())?, slf.getattr(names::_expired(py))?);
    let timer = call::method(&event_loop, names::call_later(py), [&delay, &then])?;
    slf.borrow_mut().transport.timer = Some(timer.unbind());
    Ok(())
}

fn cancel_timer(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let timer = slf.borrow_mut().transport.timer.take();
    timer.map_or(Ok(()), |timer| {
        call::method(timer.bind(slf.py()), names::cancel(slf.py()), []).map(drop)
    })
}

/// The transport is gone: so is what waited for it.
fn part(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let held = {
        let mut me = slf.borrow_mut();
        (me.spare.take(), me.spare_sending.take(), me.transport.end())
    };
    drop(held);
    cancel_timer(slf)?;
    anchor::release(slf);
    pongs::tell_gone(slf).and(transport::release_closers(slf))
}
