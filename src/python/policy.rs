//! What becomes of messages that nobody takes in time, where the user would rather have new ones.

use std::collections::VecDeque;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use super::call;
use super::inbox::Inbox;
use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;

/// A bound on the inbox, in messages, and how they make room.
pub struct Policy {
    max_size: usize,
    /// Tells which messages replace each other; Python code, so it is called when no borrow is held.
    key: Option<Py<PyAny>>,
    /// By key, the number of the message in the inbox.
    latest: Py<PyDict>,
    /// What has arrived since `key` was asked last.
    fresh: Vec<(Item, usize)>,
    fresh_bytes: usize,
    /// Messages that were ever put into the inbox; the last one's number is one less.
    pushed: usize,
    /// The numbers of those that are never dropped, as they tell of the connection's end or of
    /// pings. Of those that were taken, some may still stand here.
    kept: VecDeque<usize>,
    /// Messages that nobody will get.
    pub dropped: u64,
}

impl Policy {
    /// A policy for an inbox that holds `pushed` messages already.
    pub fn new(py: Python<'_>, max_size: usize, key: Option<Py<PyAny>>, pushed: usize) -> Self {
        Self {
            max_size,
            key,
            latest: PyDict::new(py).unbind(),
            fresh: Vec::new(),
            fresh_bytes: 0,
            pushed,
            kept: VecDeque::new(),
            dropped: 0,
        }
    }

    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    pub fn max_size(&self) -> usize {
        self.max_size
    }

    pub fn fresh(&self) -> impl Iterator<Item = &Item> {
        self.fresh.iter().map(|(item, _)| item)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.key)?;
        visit.call(&self.latest)
    }
}

impl Inbox {
    /// Add a message where there is a policy.
    #[cold]
    pub fn push_by_policy(&mut self, item: Item, size: usize) {
        match &mut self.policy {
            Some(policy) if policy.key.is_some() => {
                policy.fresh_bytes += size;
                policy.fresh.push((item, size));
            }
            _ => drop(self.push_bounded(item, size)),
        }
    }

    /// Add a message, and drop the oldest of those above the bound; returns its number.
    fn push_bounded(&mut self, item: Item, size: usize) -> usize {
        let (is_data, len) = (is_data(&item), self.len());
        self.append(item, size);
        let Some(policy) = &mut self.policy else { return 0 };
        let (number, first) = (policy.pushed, policy.pushed - len);
        policy.pushed += 1;
        while policy.kept.front().is_some_and(|&kept| kept < first) {
            policy.kept.pop_front();
        }
        if !is_data {
            policy.kept.push_back(number);
        } else if len + 1 - policy.kept.len() > policy.max_size {
            policy.dropped += 1;
            // What stands before the oldest moves up, into its place.
            let before =
                policy.kept.iter().zip(first..).take_while(|(kept, at)| *kept == at).count();
            policy.kept.iter_mut().take(before).for_each(|kept| *kept += 1);
            self.move_to_front(before);
            self.pop();
        }
        number
    }

    /// Put a message in the place of an older one, if that is still here.
    fn replace(&mut self, number: usize, item: Item, size: usize) -> Result<(), (Item, usize)> {
        let len = self.len();
        let Some(policy) = &mut self.policy else { return Err((item, size)) };
        match number.checked_sub(policy.pushed - len) {
            Some(index) => {
                policy.dropped += 1;
                self.exchange(index, item, size);
                Ok(())
            }
            None => Err((item, size)),
        }
    }
}

fn is_data(item: &Item) -> bool {
    matches!(item.kind, Kind::Text | Kind::Binary)
}

/// Ask for the keys of what has arrived, and put it where it belongs.
#[cold]
pub fn apply(slf: &Bound<'_, Protocol>) {
    let py = slf.py();
    loop {
        let (key, latest, fresh) = {
            let mut me = slf.borrow_mut();
            let Some(policy) = &mut me.inbox.policy else { return };
            let Some(key) = &policy.key else { return };
            policy.fresh_bytes = 0;
            let found = (key.clone_ref(py), policy.latest.clone_ref(py), &mut policy.fresh);
            (found.0, found.1, std::mem::take(found.2))
        };
        if fresh.is_empty() {
            return;
        }
        let latest = latest.bind(py);
        for (item, size) in fresh {
            if !is_data(&item) {
                slf.borrow_mut().inbox.push_bounded(item, size);
                continue;
            }
            let found = key_of(key.bind(py), latest, &item);
            let (key, number) = found.unwrap_or_else(|error| {
                report(slf, &error);
                (None, None)
            });
            let mut me = slf.borrow_mut();
            let left = match number {
                Some(number) => me.inbox.replace(number, item, size).err(),
                None => Some((item, size)),
            };
            let Some((item, size)) = left else { continue };
            let number = me.inbox.push_bounded(item, size);
            drop(me);
            if let Some(key) = key
                && let Err(error) = set(latest, &key, number)
            {
                report(slf, &error);
            }
        }
        forget_gone(slf, latest);
        let mut me = slf.borrow_mut();
        me.parse_held(py);
    }
}

/// The key of a message, unless it is `None`, and the number of the last message that had it.
fn key_of<'py>(
    key: &Bound<'py, PyAny>,
    latest: &Bound<'py, PyDict>,
    item: &Item,
) -> PyResult<(Option<Bound<'py, PyAny>>, Option<usize>)> {
    let py = key.py();
    let message = Item::new(item.kind, item.data.clone_ref(py)).into_message(py)?;
    let found = call::function(key, [message.bind(py)])?;
    if found.is_none() {
        return Ok((None, None));
    }
    let number = call::item(latest, &found).map_err(|error| {
        let said = PyTypeError::new_err("the key of a message cannot be hashed");
        said.set_cause(py, Some(error));
        said
    })?;
    Ok((Some(found), number.map(|number| number.extract()).transpose()?))
}

fn set(latest: &Bound<'_, PyDict>, key: &Bound<'_, PyAny>, number: usize) -> PyResult<()> {
    call::set_item(latest, key, number.into_pyobject(latest.py())?.as_any())
}

/// Let the dictionary not grow with keys of messages that were taken long ago.
fn forget_gone(slf: &Bound<'_, Protocol>, latest: &Bound<'_, PyDict>) {
    let first = {
        let me = slf.borrow();
        let Some(policy) = &me.inbox.policy else { return };
        if latest.len() <= 2 * policy.max_size {
            return;
        }
        policy.pushed - me.inbox.len()
    };
    let here = PyDict::new(slf.py());
    for (key, number) in latest.iter() {
        if number.extract::<usize>().is_ok_and(|number| number >= first)
            && let Err(error) = call::set_item(&here, &key, &number)
        {
            report(slf, &error);
        }
    }
    if let Some(policy) = &mut slf.borrow_mut().inbox.policy {
        policy.latest = here.unbind();
    }
}

/// The message stays, whatever its key would have been; who reads the loop's log is told.
fn report(slf: &Bound<'_, Protocol>, error: &PyErr) {
    let py = slf.py();
    let tell = || -> PyResult<()> {
        let context = PyDict::new(py);
        context.set_item("message", "the key function of a WebSocket's queue failed")?;
        context.set_item("exception", error.value(py))?;
        context.set_item("protocol", slf)?;
        let event_loop = slf.borrow().event_loop.clone_ref(py);
        call::method(event_loop.bind(py), "call_exception_handler", [&context]).map(drop)
    };
    if let Err(error) = tell() {
        call::unraisable(py, error, Some(slf.as_any()));
    }
}
