//! Whoever waits for a message is told to go on.

use pyo3::prelude::*;

use super::state::{Awaited, Protocol, Receive};
use super::thread::Awake;
use super::{resting, wake};
use crate::endpoint::Due;

/// Let the task go on, inside this call if that is possible; `told` is what it goes on as.
pub fn go_on(receive: Bound<'_, Receive>, told: Awaited) -> PyResult<()> {
    let py = receive.py();
    let protocol = {
        let mut me = receive.borrow_mut();
        if me.state != Awaited::Waiting {
            return Ok(());
        }
        me.state = told;
        me.protocol.clone_ref(py).into_bound(py)
    };
    // The task's next receive() may use this object again.
    drop(receive);
    let (event_loop, future, awake) = {
        let connection = protocol.borrow();
        let Some(future) = &connection.future else {
            return Ok(());
        };
        let future = future.clone_ref(py).into_bound(py);
        (connection.event_loop(py), future, Awake::begin(&connection.home))
    };
    let woken = wake::wake(&event_loop, &future);
    drop(awake);
    let woken = match woken {
        Ok(wake::Future::Spent) => {
            let mut me = protocol.borrow_mut();
            // Dropped with the other reference to it.
            me.future.take_if(|current| current.is(&future));
            Ok(())
        }
        Ok(wake::Future::Reusable) => Ok(()),
        Err(error) => {
            sleep_on(&protocol, told);
            Err(error)
        }
    };
    woken.and(resting::write(py))
}

/// The task could not be told to go on: let the next occasion do it. One that has run is no reader any
/// more, or waits already.
#[cold]
fn sleep_on(protocol: &Bound<'_, Protocol>, told: Awaited) {
    let mut connection = protocol.borrow_mut();
    if let Some(reader) = &connection.reader {
        let mut reader = reader.bind(protocol.py()).borrow_mut();
        if reader.state == told {
            reader.state = Awaited::Waiting;
        }
    }
    connection.endpoint.owe_thing(Due::WAKE);
}
