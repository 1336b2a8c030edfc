//! What becomes of messages that nobody takes in time, where the user would rather have new ones.

use std::collections::{TryReserveError, VecDeque};
use std::mem;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use super::call;
use super::inbox::Inbox;
use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;
use super::{error, memory, names};

/// Keys remembered beside those of messages that wait.
const REMEMBERED: usize = 64;

/// A bound on the inbox, in messages, and how they make room.
///
/// The messages that count stand in the inbox, and have numbers in the order in which they came:
/// dropping and taking them removes the first, so that the place of each follows from its number.
pub struct Policy {
    max_size: usize,
    /// Tells which messages replace each other; Python code, so it is called when no borrow is held.
    key: Option<Py<PyAny>>,
    /// By key, the number of the message in the inbox.
    latest: Py<PyDict>,
    /// What has arrived since `key` was asked last.
    fresh: Vec<(Item, usize)>,
    fresh_bytes: usize,
    /// `key` is being asked.
    asking: bool,
    /// Messages that were ever put into the inbox; the last one's number is one less.
    pushed: u64,
    /// Those that are never dropped, as they tell of the connection's end or of pings, each with the
    /// number of the message in the inbox that it comes before, and its size.
    kept: VecDeque<(u64, Item, usize)>,
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
            asking: false,
            pushed: pushed as u64,
            kept: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Whether there is something to ask `key` about; while it is being asked, who asks goes on.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    /// How many messages wait that are never dropped.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// What waits here and not in the inbox.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        let fresh = self.fresh.iter().map(|(item, _)| item);
        fresh.chain(self.kept.iter().map(|(_, item, _)| item))
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.key)?;
        visit.call(&self.latest)
    }
}

impl Inbox {
    /// Add a message where there is a policy.
    #[cold]
    pub fn push_by_policy(&mut self, item: Item, size: usize) -> Result<(), TryReserveError> {
        match &mut self.policy {
            Some(policy) if policy.key.is_some() => {
                policy.fresh.try_reserve(1)?;
                policy.fresh_bytes += size;
                policy.fresh.push((item, size));
                Ok(())
            }
            _ => self.push_bounded(item, size).map(drop),
        }
    }

    /// Add a message, and drop the oldest if there are more than the bound; returns its number.
    fn push_bounded(&mut self, item: Item, size: usize) -> Result<u64, TryReserveError> {
        let Some(policy) = &mut self.policy else { return Ok(0) };
        let number = policy.pushed;
        if !is_data(&item) {
            policy.kept.try_reserve(1)?;
            policy.kept.push_back((number, item, size));
            self.count(size);
            return Ok(number);
        }
        let max_size = policy.max_size;
        self.append(item, size)?;
        let oldest = if self.len() > max_size { self.pop_item() } else { None };
        if let Some(policy) = &mut self.policy {
            policy.pushed += 1;
            policy.dropped += u64::from(oldest.is_some());
        }
        Ok(number)
    }

    /// Take the next message if it is one that is never dropped, and its size.
    #[cold]
    pub fn pop_kept(&mut self) -> Option<(Item, usize)> {
        let len = self.len() as u64;
        let policy = self.policy.as_mut()?;
        policy.kept.front().filter(|(before, ..)| *before <= policy.pushed - len)?;
        policy.kept.pop_front().map(|(_, item, size)| (item, size))
    }

    /// Let a message that was popped be the first again.
    pub fn put_back_by_policy(&mut self, item: Item) -> Result<(), TryReserveError> {
        if is_data(&item) {
            return self.put_back_item(item);
        }
        if let Some(policy) = &mut self.policy {
            policy.kept.try_reserve(1)?;
            policy.kept.push_front((0, item, 0));
            self.count(0);
        }
        Ok(())
    }

    /// Put a message in the place of an older one, if that is still here.
    fn replace(&mut self, number: u64, item: Item, size: usize) -> Result<(), (Item, usize)> {
        let len = self.len() as u64;
        let Some(policy) = &mut self.policy else { return Err((item, size)) };
        let index = number.checked_sub(policy.pushed - len).map(usize::try_from);
        let Some(Ok(index)) = index else { return Err((item, size)) };
        policy.dropped += 1;
        self.exchange(index, item, size);
        Ok(())
    }
}

fn is_data(item: &Item) -> bool {
    matches!(item.kind, Kind::Text | Kind::Binary)
}

/// Ask for the keys of what has arrived, and put it where it belongs.
///
/// # Errors
/// `KeyboardInterrupt` and `SystemExit` from the key's code, when all has its place. Whatever else it
/// raises is for the event loop's exception handler.
#[cold]
pub fn apply(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let mut interrupt = Ok(());
    loop {
        let (key, latest, fresh) = {
            let mut me = slf.borrow_mut();
            let Some(policy) = &mut me.inbox.policy else { break };
            let Some(key) = &policy.key else { break };
            // The key's code may lead here again: what came meanwhile is for later.
            if policy.asking || policy.fresh.is_empty() {
                break;
            }
            policy.asking = true;
            policy.fresh_bytes = 0;
            let found = (key.clone_ref(py), policy.latest.clone_ref(py), &mut policy.fresh);
            (found.0.into_bound(py), found.1.into_bound(py), mem::take(found.2))
        };
        let mut note = |error: PyErr| {
            if error::ends_the_loop(py, &error) {
                // The first, if there are several.
                if interrupt.is_ok() {
                    interrupt = Err(error);
                }
            } else {
                report(slf, &error);
            }
        };
        for (item, size) in fresh {
            let key = if is_data(&item) {
                key_of(&key, &latest, &item).unwrap_or_else(|error| {
                    note(error);
                    None
                })
            } else {
                None
            };
            let Ok(placed) = place(slf, item, size, key.as_ref().and_then(|(_, number)| *number))
            else {
                // What came after it would come after a hole.
                break;
            };
            if let (Some((key, _)), Some(number)) = (key, placed) {
                set(&latest, &key, number).unwrap_or_else(&mut note);
            }
        }
        forget_gone(slf, &latest, note);
        let mut me = slf.borrow_mut();
        if let Some(policy) = &mut me.inbox.policy {
            policy.asking = false;
        }
        me.parse_held(py);
    }
    interrupt
}

/// Put one message in the place of the one with this number, or behind all others; returns its own
/// number then.
fn place(
    slf: &Bound<'_, Protocol>,
    item: Item,
    size: usize,
    instead: Option<u64>,
) -> Result<Option<u64>, TryReserveError> {
    let mut me = slf.borrow_mut();
    let left = match instead {
        Some(number) => me.inbox.replace(number, item, size).err(),
        None => Some((item, size)),
    };
    let Some((item, size)) = left else { return Ok(None) };
    me.inbox.push_bounded(item, size).map(Some).inspect_err(|_| me.run_out_of_memory())
}

/// The key of a message, unless it is `None`, and the number of the last message that had it.
fn key_of<'py>(
    key: &Bound<'py, PyAny>,
    latest: &Bound<'py, PyDict>,
    item: &Item,
) -> PyResult<Option<(Bound<'py, PyAny>, Option<u64>)>> {
    let py = key.py();
    let message = Item::new(item.kind, item.data.clone_ref(py)).into_message(py);
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
    let first = {
        let me = slf.borrow();
        let (len, Some(policy)) = (me.inbox.len(), &me.inbox.policy) else { return };
        if latest.len() <= 2 * len + REMEMBERED {
            return;
        }
        policy.pushed - len as u64
    };
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
        let policy = me.inbox.policy.as_mut();
        policy.map(|policy| mem::replace(&mut policy.latest, here.unbind()))
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
        let event_loop = slf.borrow().event_loop.clone_ref(py);
        call::method(event_loop.bind(py), names::call_exception_handler(py), [&context]).map(drop)
    };
    if let Err(error) = tell() {
        call::unraisable(py, error, Some(slf.as_any()));
    }
}
