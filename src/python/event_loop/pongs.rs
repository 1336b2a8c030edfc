//! What is told to those who await pongs.

use std::collections::VecDeque;

use pyo3::prelude::*;

use super::failure;
use super::state::Protocol;
use crate::python::cpython::{future, memory};
use crate::python::values::errors;

/// Tell those whose pings were answered.
pub fn tell_answered(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    loop {
        let answered = {
            let mut me = slf.borrow_mut();
            let took = me.endpoint.take_round_trip();
            took.and_then(|took| Some((took, me.pings.get_mut()?.pop_front()?)))
        };
        let Some((took, future)) = answered else {
            return Ok(());
        };
        let future = future.bind(py);
        let told = memory::float(py, took.as_secs_f64())
            .and_then(|seconds| future::finish_with(future, &seconds));
        if let Err(error) = told {
            future::fail(future, error.value(py))?;
            return Err(error);
        }
    }
}

/// Tell all others that no pong will come.
pub fn tell_gone(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let mut result = Ok(());
    loop {
        let (future, why, dialect) = {
            let mut me = slf.borrow_mut();
            let Some(future) = me.pings.get_mut().and_then(VecDeque::pop_front) else {
                return result;
            };
            (future, failure::why_not_open(&me), me.dialect(py))
        };
        let exception = if slf.borrow().endpoint.hands_out_only_data() {
            failure::ended(slf, false).into_value(py).into_any()
        } else {
            let cause = failure::exception(slf);
            errors::unanswered(py, &why, cause, dialect.as_ref())
        };
        let told = future::fail(future.bind(py), exception.bind(py));
        result = result.and(told);
    }
}
