//! After a change of state: what it calls for, in an order that bears whatever Python code does
//! meanwhile.

use pyo3::prelude::*;

use super::protocol::Protocol;
use super::receive::Receive;
use super::{closing, flow, memory, policy, send};

/// Carry out what the last change of state calls for, and wake the reader if it has something.
pub fn settle(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let result = {
        let me = slf.borrow();
        let quiet = me.owed.is_empty()
            && !me.inbox.has_fresh()
            && !me.flow.changed
            && !me.ending.acts()
            && me.ending.violation.is_none()
            && me.ending.replaced.is_empty();
        drop(me);
        if quiet { Ok(()) } else { carry_out(slf) }
    };
    let reader = {
        let me = slf.borrow();
        if me.has_message() { me.reader.as_ref().map(|reader| reader.clone_ref(py)) } else { None }
    };
    if let Some(reader) = reader {
        Receive::wake(reader.into_bound(py))?;
    }
    result
}

#[cold]
fn carry_out(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    if slf.borrow().is_copy() {
        return Ok(());
    }
    let replaced = std::mem::take(&mut slf.borrow_mut().ending.replaced);
    drop(replaced);
    let interrupt = policy::apply(slf);
    closing::refuse(slf);
    let owed = std::mem::take(&mut slf.borrow_mut().owed);
    if !owed.is_empty() {
        if let Ok(frames) = memory::bytes(slf.py(), &owed) {
            send::write(slf, &frames)?;
        } else {
            slf.borrow_mut().run_out_of_memory();
            closing::refuse(slf);
        }
    }
    flow::apply(slf)?;
    closing::act(slf)?;
    interrupt
}
