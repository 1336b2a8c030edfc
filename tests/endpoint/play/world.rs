//! Everything around an endpoint: each call of it is followed by what it calls for.

use std::collections::{HashMap, VecDeque};

use wsclient::deflate::{Deflater, Inflater};
use wsclient::endpoint::{Compression, Due, Endpoint, Fate, Item, Kind, Make, Phase, Settings};
use wsclient::error::ProtocolError;
use wsclient::registry::Opcode;

use super::maker::{Content, Maker};
use super::model::{Model, OVERHEAD, Seen};
use super::peer::Peer;
use super::step::{Meddle, Policy, Setting, Step};
use super::transport::{Permitted, Transport};

/// The most that is read at once.
const READ: usize = 256 * 1024;
/// Above this, reading pauses.
const HIGH_WATER: usize = 512 * 1024;
/// What is kept beyond that when reading goes on to the end.
pub const END: usize = 16 * 1024 * 1024;
/// Pings, pongs and ends that are kept whatever the policy, and what one costs.
const KEPT: (usize, usize) = (1024, 125 + OVERHEAD);

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent")]
pub struct World {
    pub setting: Setting,
    pub endpoint: Endpoint<Content>,
    pub make: Maker,
    pub peer: Peer,
    pub transport: Transport,
    pub model: Model,
    /// The number of the last message with each key.
    pub latest: HashMap<u8, u64>,
    pub meddle: Option<Meddle>,
    pub asking: bool,
    /// Somebody waits for a message.
    pub waits: bool,
    /// When the timer fires, in seconds.
    pub timer: Option<u64>,
    /// The message that is sent in fragments: the opcode of its next.
    pub message: Option<Opcode>,
    /// What is held back behind it.
    pub held: VecDeque<Permitted>,
    /// Payloads of pings that the user has sent.
    pub pings: Vec<Vec<u8>>,
    /// The transport has said that the peer sends nothing more.
    pub eof: bool,
    /// This side has dropped the connection.
    pub aborted: bool,
    /// This side has failed.
    pub given_up: bool,
    /// The end has come in a way that lets no close frame out.
    pub torn: bool,
    /// The user wants no messages for now.
    pub user_paused: bool,
    /// Bytes of messages that were put back, which may be more than there is room for.
    pub put_back: usize,
    /// Codes that the user has closed with.
    pub own_codes: Vec<u16>,
    /// Parts that have been taken of the message that is received in parts.
    pub taken: Vec<u8>,
    ended: bool,
    fate: Option<Fate>,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        let settings = Settings {
            autoclose: setting.autoclose,
            autoping: setting.autoping,
            shows_close: setting.shows_close,
            ..Settings::default()
        };
        let limit = setting.limit.map_or(settings.max_message_size, u64::from);
        let mut endpoint = Endpoint::new(Settings { max_message_size: limit, ..settings });
        match setting.policy {
            Policy::Backpressure => {}
            Policy::Newest(max_size) => endpoint.keep_newest(max_size, false),
            Policy::Keyed(max_size) => endpoint.keep_newest(max_size, true),
        }
        if let Some((high, low)) = setting.bound {
            endpoint.bound_messages(high, low);
        }
        if setting.deflate {
            let deflater = Deflater::new(1, 15, true);
            let compression = deflater.map(|deflater| Compression { deflater, min_size: 100 });
            endpoint.use_deflate(Inflater::new(true), compression);
        }
        if setting.comes_paused {
            endpoint.begin_paused();
        }
        let mut world = Self {
            setting,
            endpoint,
            make: Maker::new(setting.places),
            peer: Peer::new(setting.deflate),
            transport: Transport::new(setting.comes_paused),
            model: Model::new(setting),
            latest: HashMap::new(),
            meddle: None,
            asking: false,
            waits: false,
            timer: None,
            message: None,
            held: VecDeque::new(),
            pings: Vec::new(),
            eof: false,
            aborted: false,
            given_up: false,
            torn: false,
            user_paused: false,
            put_back: 0,
            own_codes: Vec::new(),
            taken: Vec::new(),
            ended: false,
            fate: None,
        };
        world.settle();
        world
    }

    /// Whether the setting's limit allows a message of this size, compressed or not.
    fn allows(&self, size: usize) -> bool {
        self.setting.limit.is_none_or(|limit| size <= limit as usize)
    }

    pub fn step(&mut self, step: &Step) {
        match *step {
            Step::Message { size, .. } | Step::Burst { size, .. } if !self.allows(size) => {
                self.peer.exceed();
            }
            Step::Message { text, size, fragments, compressed } => {
                self.peer.message(text, size, fragments, compressed);
            }
            Step::Burst { count, size, compressed } => {
                for _ in 0..count {
                    self.peer.message(false, size, 1, compressed);
                }
            }
            Step::Ping { size } => self.peer.ping(size),
            Step::Pong { asked } => {
                let payload = self.pings.last().filter(|_| asked).cloned().unwrap_or_default();
                self.peer.pong(&payload);
            }
            Step::Close { code } => self.peer.close(code),
            Step::Violate { how } => self.peer.violate(how),
            Step::Leave => self.peer.leaves = true,
            Step::Deliver { size, direct } => self.deliver(size, direct),
            Step::Break => self.break_off(),
            Step::Turn => self.turn(),
            Step::Drain { size } => self.drain(size),
            Step::Heed { at_once } => {
                self.transport.flows = at_once;
                if at_once {
                    self.drain(usize::MAX);
                }
            }
            Step::Tick => self.tick(),
            Step::Meddle { how } => self.meddle = Some(how),
            Step::Exhaust { after } => self.make.left = self.make.left.or(Some(after)),
            Step::Wait => {
                self.leave_parts();
                self.waits = !self.endpoint.has_message();
            }
            ref step => self.user_step(step),
        }
    }

    /// Bytes arrive, if the transport reads, or the end does.
    pub fn deliver(&mut self, size: usize, direct: bool) {
        self.turn();
        let reads = !self.transport.reading_paused || self.transport.reads_once_more;
        if self.transport.closing || self.transport.lost || !reads {
            return;
        }
        self.transport.reads_once_more = false;
        let bytes = self.peer.deliver(size.min(READ));
        if bytes.is_empty() {
            if self.peer.leaves && self.peer.has_said_all() {
                self.end_of_file();
            }
            return;
        }
        let placed = if direct { self.make.missing().min(bytes.len()) } else { 0 };
        assert_eq!(self.endpoint.is_gathering(), self.make.is_gathering());
        self.call(|world| {
            if placed > 0 {
                world.make.append(&bytes[..placed]);
                world.endpoint.gathered(placed, &mut world.make);
            }
            world.endpoint.read(&bytes[placed..], &mut world.make);
        });
        self.settle();
    }

    fn end_of_file(&mut self) {
        self.eof = true;
        self.model.answer_waits = false;
        self.model.ends = true;
        self.call(|world| world.endpoint.end_of_file());
        self.settle();
        // The transport closes itself, but not before all is written.
        assert!(self.timer.is_some() || self.aborted);
        self.transport.close();
    }

    /// The event loop comes to what was put off.
    pub fn turn(&mut self) {
        if self.transport.loses && !self.transport.lost {
            self.transport.lost = true;
            self.model.ends = true;
            let dropped = self.aborted && !self.eof;
            let ours = self.call(|world| world.endpoint.lose(&mut world.make));
            assert_eq!(ours, dropped);
            self.settle();
            assert_eq!(self.endpoint.phase(), Phase::Gone);
        }
    }

    /// This side fails, and drops the connection.
    pub fn give_up(&mut self) {
        self.given_up = true;
        self.torn = true;
    }

    /// The transport fails.
    pub fn break_off(&mut self) {
        self.torn = true;
        self.transport.abort();
    }

    /// The peer takes what was written.
    pub fn drain(&mut self, size: usize) {
        self.turn();
        if !self.transport.lost && self.transport.drain(size) {
            self.model.resume_writing();
            self.call(|world| world.endpoint.resume_writing(&mut world.make));
            assert!(self.endpoint.due().has(Due::ROOM));
            self.settle();
        }
    }

    pub fn tick(&mut self) {
        self.turn();
        self.make.now += 1;
        if self.timer.is_some_and(|timer| timer <= self.make.now) {
            self.timer = None;
            self.model.answer_waits = false;
            let before = self.endpoint.phase();
            self.call(|world| world.endpoint.expired());
            // Each step of an ending has its own time.
            let expected = match before {
                Phase::Answering => Phase::Lingering,
                Phase::Closing | Phase::Lingering => Phase::Aborting,
                other => other,
            };
            assert_eq!(self.endpoint.phase(), expected);
            self.settle();
        }
    }

    /// Call the endpoint, and see that it did what it should.
    pub fn call<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        let had_message = self.endpoint.has_message();
        let result = call(self);
        self.absorb();
        if self.endpoint.has_message() && !had_message {
            assert!(self.endpoint.due().has(Due::WAKE), "nobody is told");
        }
        result
    }

    fn absorb(&mut self) {
        self.take_in();
        self.check_message();
        self.check_fate();
        self.check_memory();
    }

    /// Let the model know what the endpoint has parsed.
    pub fn take_in(&mut self) {
        let row = self.endpoint.row();
        let violation = match self.endpoint.fate() {
            Some(Fate::Violation(ProtocolError::OutOfMemory)) => None,
            Some(fate @ Fate::Violation(_)) => Some(fate.code()),
            _ => None,
        };
        let seen = Seen {
            messages: row[0],
            controls: row[3],
            dropped: self.endpoint.dropped(),
            delivered: self.peer.delivered(),
            writing_paused: self.endpoint.is_writing_paused(),
            failed: self.make.failed,
            parts: self.parts().count(),
            part_bytes: self.parts().map(|item| item.content.len() + OVERHEAD).sum(),
            violation,
            now: self.make.now,
        };
        self.model.absorb(&mut self.peer.units, &seen);
        if self.model.exhausted {
            self.give_up();
        }
    }

    /// A message in fragments is under way until it is complete, or nothing can be sent any more.
    fn check_message(&mut self) {
        if self.message.is_some() && !self.endpoint.is_open() {
            assert!(self.endpoint.due().has(Due::TURN), "nobody is told");
            self.message = None;
            self.held.clear();
        }
        assert_eq!(self.endpoint.is_in_message(), self.message.is_some());
        assert_eq!(self.endpoint.held_back() == 0, self.held.is_empty());
    }

    /// How it ends is said once, and does not change.
    fn check_fate(&mut self) {
        let fate = self.endpoint.fate();
        assert_eq!(fate.map(Fate::code), self.model.fate);
        if self.fate.is_some() {
            assert_eq!(self.fate.as_ref(), fate);
        }
        self.fate = fate.cloned();
        let gone = self.endpoint.phase() == Phase::Gone;
        let known = self.endpoint.close_code();
        let hidden = self.setting.shows_close && !self.model.called && known.is_none();
        assert!(hidden || known == self.model.fate.or(gone.then_some(1006)));
        assert!(!(self.ended && self.endpoint.is_open()), "it is open again");
        self.ended |= !self.endpoint.is_open();
        assert!(!self.endpoint.is_alive() || self.endpoint.is_open());
    }

    /// Parts of a message that wait.
    pub fn parts(&self) -> impl Iterator<Item = &Item<Content>> {
        self.endpoint.items().filter(|item| item.kind.is_part())
    }

    fn check_memory(&mut self) {
        let largest = self.peer.largest + OVERHEAD;
        let backpressure = HIGH_WATER + 2 * largest;
        let kept = (KEPT.0 + 4) * KEPT.1;
        let mut bound = match self.setting.policy {
            Policy::Backpressure => backpressure,
            Policy::Newest(max_size) => (max_size + 3) * largest + kept,
            // What waits for its key comes with one read; each takes two bytes of it at least.
            Policy::Keyed(max_size) => {
                (max_size + 3) * largest + backpressure + READ / 2 * OVERHEAD + kept
            }
        };
        if self.eof || self.model.called || self.torn {
            bound += END;
        } else if let (Some((high, _)), Policy::Backpressure, 0) =
            (self.setting.bound, self.setting.policy, self.put_back)
            && !self.model.ends
        {
            assert!(self.endpoint.items().count() <= high, "too many messages wait");
        }
        bound += self.put_back;
        let items = self.endpoint.items();
        let waiting = if self.endpoint.is_streaming() {
            items.map(|item| item.content.len() + OVERHEAD).sum()
        } else {
            self.model.bytes_waiting()
        };
        assert!(waiting <= bound, "{waiting} bytes wait, {bound} are allowed");
        let unparsed = self.peer.delivered().saturating_sub(self.model.parsed);
        if !self.model.deaf && !self.transport.lost {
            assert!(unparsed <= 2 * READ + 3 * largest + 1000, "{unparsed} bytes are held");
        }
        let items = self.endpoint.items().filter(|item| item.kind != Kind::Part).count();
        let asked =
            if self.asking { items } else { self.model.waiting.len() + self.model.fresh.len() };
        assert_eq!(items, asked);
    }
}
