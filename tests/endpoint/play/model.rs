//! What must come of what the peer has said, in the order in which it was said.

use std::collections::VecDeque;
use std::mem;

use wsclient::endpoint::{Item, Kind};

use super::maker::Content;
use super::peer::{Unit, What};
use super::step::{Policy, Setting};
use super::world::END;

pub const OVERHEAD: usize = 64;

/// What the endpoint tells of its progress.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Messages that it has received.
    pub messages: u64,
    /// Control frames that it has parsed, not those that are held back.
    pub controls: u64,
    /// Messages that nobody gets.
    pub dropped: u64,
    /// Bytes that were delivered.
    pub delivered: usize,
    /// Writing is paused.
    pub writing_paused: bool,
    /// What there was no memory for.
    pub failed: Option<Kind>,
    /// Parts of a message that wait, and how many bytes they are.
    pub parts: usize,
    pub part_bytes: usize,
    /// The close code of a breach of the protocol that it has found.
    pub violation: Option<u16>,
    /// Seconds.
    pub now: u64,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent")]
pub struct Model {
    setting: Setting,
    /// To be taken, in order.
    pub waiting: VecDeque<Item<Content>>,
    /// To be given their keys first.
    pub fresh: VecDeque<Item<Content>>,
    /// What the endpoint has parsed.
    messages: u64,
    controls: u64,
    /// Where the last thing ends that it has parsed.
    pub parsed: usize,
    pub dropped: u64,
    /// Messages that came after too many at the end.
    pub missed: u64,
    /// The next message is for nobody: a part of it was taken, or could have been.
    pub left: bool,
    /// The close code, once it is known.
    pub fate: Option<u16>,
    /// This side closes: what comes is for nobody.
    pub called: bool,
    /// Nothing more is read.
    pub deaf: bool,
    /// The peer ended the connection by a close frame.
    pub peer_closed: Option<Vec<u8>>,
    /// It did so before this side was asked to.
    pub peer_was_first: bool,
    /// Messages waited when the peer ended the connection: who takes them may want to answer them.
    pub answer_waits: bool,
    /// None waited.
    pub answer_leaves: bool,
    /// The newest ping that came while writing was paused.
    newest: Option<Vec<u8>>,
    /// Pongs to be written, in order.
    pub pongs: VecDeque<Vec<u8>>,
    /// This side's pings under way: the payload, when it was sent, and whether it is awaited.
    pub pings: VecDeque<(Vec<u8>, u64, bool)>,
    /// Seconds that round trips took and that are to be told, in order.
    pub round_trips: VecDeque<u64>,
    /// The end has begun: pings need no answer.
    pub ends: bool,
    /// No memory: a part is lost.
    pub exhausted: bool,
}

impl Model {
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            waiting: VecDeque::new(),
            fresh: VecDeque::new(),
            messages: 0,
            controls: 0,
            parsed: 0,
            dropped: 0,
            missed: 0,
            left: false,
            fate: None,
            called: false,
            deaf: false,
            peer_closed: None,
            peer_was_first: false,
            answer_waits: false,
            answer_leaves: false,
            newest: None,
            pongs: VecDeque::new(),
            pings: VecDeque::new(),
            round_trips: VecDeque::new(),
            ends: false,
            exhausted: false,
        }
    }

    /// Take over what the endpoint has parsed of what was said.
    pub fn absorb(&mut self, units: &mut VecDeque<Unit>, seen: &Seen) {
        while let Some(unit) = units.front()
            && !self.deaf
            && self.has_parsed(unit, seen)
        {
            self.parsed = unit.end;
            if let Some(unit) = units.pop_front() {
                self.apply(unit.what, seen);
            }
        }
        // Nobody is shown a close frame after this side has closed.
        let lost = seen.failed.is_some_and(|kind| kind != Kind::Close || !self.called);
        if lost && !self.exhausted {
            self.exhausted = true;
            self.fail(1006);
        }
        assert_eq!((self.messages, self.dropped), (seen.messages, seen.dropped));
    }

    fn has_parsed(&self, unit: &Unit, seen: &Seen) -> bool {
        match unit.what {
            What::Data(..) => {
                self.called && unit.end <= seen.delivered
                    || self.messages < seen.messages
                    || self.dropped < seen.dropped
            }
            What::Violation(_) => seen.violation.is_some(),
            _ => self.controls < seen.controls,
        }
    }

    fn apply(&mut self, what: What, seen: &Seen) {
        let is_data = matches!(what, What::Data(..) | What::Violation(_));
        self.controls += u64::from(!is_data);
        // What there was no memory for is the last that was parsed.
        let lacks = seen.failed.is_some() && self.controls == seen.controls;
        if let What::Pong(payload) = &what
            && !(self.called || self.missed > 0)
        {
            self.pong(payload, seen.now);
        }
        match what {
            What::Data(..) if self.called => {}
            What::Data(..) if self.messages == seen.messages => {
                assert!(self.bytes_waiting() + seen.part_bytes > END, "there is room");
                self.dropped += 1;
                self.missed += 1;
            }
            What::Data(kind, content) => {
                self.messages += 1;
                if !mem::take(&mut self.left) {
                    self.push(kind, content);
                }
            }
            What::Ping(_) | What::Pong(_) if self.called || self.missed > 0 => {}
            What::Ping(payload) if self.setting.autoping && seen.writing_paused => {
                self.newest = Some(payload);
            }
            What::Ping(payload) if self.setting.autoping => self.pongs.push_back(payload),
            What::Pong(_) if self.setting.autoping => {}
            What::Ping(content) if !(lacks && seen.failed == Some(Kind::Ping)) => {
                self.push(Kind::Ping, content);
            }
            What::Pong(content) if !(lacks && seen.failed == Some(Kind::Pong)) => {
                self.push(Kind::Pong, content);
            }
            What::Ping(_) | What::Pong(_) => {}
            What::Close(payload) => self.peer_closes(payload, seen),
            What::Violation(code) => {
                assert_eq!(seen.violation, Some(code));
                self.is_to_be_answered(seen);
                self.fail(code);
            }
        }
    }

    /// A ping leaves. Of those that nobody awaits, sixteen are remembered.
    pub fn ping(&mut self, payload: Vec<u8>, now: u64, awaited: bool) {
        let others = self.pings.iter().filter(|(.., awaited)| !awaited).count();
        if !awaited && others == 16 {
            let oldest = self.pings.iter().position(|(.., awaited)| !awaited);
            oldest.and_then(|oldest| self.pings.remove(oldest));
        }
        self.pings.push_back((payload, now, awaited));
    }

    /// It answers its ping and those before.
    fn pong(&mut self, payload: &[u8], now: u64) {
        let place = self.pings.iter().position(|(sent, ..)| sent == payload);
        let answered = self.pings.drain(..place.map_or(0, |place| place + 1));
        let awaited = answered.filter(|(.., awaited)| *awaited);
        self.round_trips.extend(awaited.map(|(_, sent, _)| now - sent));
    }

    fn peer_closes(&mut self, payload: Vec<u8>, seen: &Seen) {
        let lacks = seen.failed == Some(Kind::Close);
        self.deaf = true;
        let shown = (self.setting.shows_close || !self.setting.autoclose) && !self.called;
        if !(shown && lacks) {
            let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            self.fate.get_or_insert(code);
        }
        if shown && !lacks {
            self.push(Kind::Close, payload.clone());
        }
        if self.setting.autoclose {
            self.is_to_be_answered(seen);
        }
        self.peer_was_first = !self.called;
        self.peer_closed = Some(payload);
        self.ends = true;
    }

    /// The connection fails with this close code; the user is told once.
    pub fn fail(&mut self, code: u16) {
        self.deaf = true;
        self.ends = true;
        if self.fate.is_none() {
            self.fate = Some(code);
            if !self.called {
                self.push(Kind::Error, Vec::new());
            }
        }
    }

    pub fn push(&mut self, kind: Kind, content: Content) {
        let item = Item { kind, content };
        match self.setting.policy {
            Policy::Backpressure => self.waiting.push_back(item),
            Policy::Newest(max_size) => self.push_bounded(item, max_size),
            Policy::Keyed(_) => self.fresh.push_back(item),
        }
    }

    fn push_bounded(&mut self, item: Item<Content>, max_size: usize) {
        let is_data = item.kind.is_data();
        self.waiting.push_back(item);
        if is_data && self.data_waiting() > max_size {
            let oldest = self.waiting.iter().position(|item| item.kind.is_data());
            oldest.and_then(|oldest| self.waiting.remove(oldest));
            self.dropped += 1;
        }
    }

    fn is_to_be_answered(&mut self, seen: &Seen) {
        self.answer_waits = !self.called && self.holds_data();
        self.answer_leaves = self.waiting.is_empty() && self.fresh.is_empty() && seen.parts == 0;
    }

    /// Whether the peer broke the protocol.
    pub fn has_breach(&self) -> bool {
        self.fate.is_some_and(|code| matches!(code, 1002 | 1007 | 1009))
    }

    /// Whether messages wait, be it for their keys.
    pub fn holds_data(&self) -> bool {
        self.waiting.iter().chain(&self.fresh).any(|item| item.kind.is_data())
    }

    pub fn data_waiting(&self) -> usize {
        self.waiting.iter().filter(|item| item.kind.is_data()).count()
    }

    /// The first of those without a place gets one.
    pub fn place(&mut self, item: Item<Content>) {
        let Policy::Keyed(max_size) = self.setting.policy else { return };
        let key = key(&item);
        let same = self.waiting.iter_mut().find(|other| key.is_some() && self::key(other) == key);
        if let Some(same) = same {
            *same = item;
            self.dropped += 1;
        } else {
            self.push_bounded(item, max_size);
        }
    }

    /// There is room to write: the newest ping is to be answered.
    pub fn resume_writing(&mut self) {
        self.pongs.extend(self.newest.take());
    }

    /// How much waits to be taken.
    pub fn bytes_waiting(&self) -> usize {
        let waiting = self.waiting.iter().chain(&self.fresh);
        waiting.map(|item| item.content.len() + OVERHEAD).sum()
    }
}

/// A third of the messages have none.
pub fn key(item: &Item<Content>) -> Option<u8> {
    let number = item.content.get(6).copied().unwrap_or(b'3');
    (item.kind.is_data() && number % 3 > 0).then_some(number % 5)
}
