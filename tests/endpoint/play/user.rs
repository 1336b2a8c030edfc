//! What the user does.

use wsclient::close::CloseFrame;
use wsclient::endpoint::{Item, Kind, Phase};
use wsclient::frame::{self, Header};
use wsclient::keys;
use wsclient::registry::Opcode;

use super::maker::Content;
use super::model::OVERHEAD;
use super::step::Step;
use super::world::World;

impl World {
    pub fn user_step(&mut self, step: &Step) {
        if matches!(
            step,
            Step::Take { .. } | Step::TakeAll | Step::TakeTexts | Step::PutBack { .. }
        ) {
            // Only one waits at a time.
            self.waits = false;
        }
        match *step {
            Step::Take { count } => {
                for _ in 0..count {
                    if !self.receive() {
                        break;
                    }
                }
            }
            // aiohttp has no batches, and its order is not theirs.
            Step::TakeAll | Step::TakeTexts if self.setting.shows_close => drop(self.receive()),
            Step::TakeAll => self.take_all(None),
            Step::TakeTexts => self.take_all(Some(Kind::Text)),
            Step::PutBack { late, count } => self.put_back(late, count),
            Step::Stream { count, anew, again } => {
                self.waits = false;
                let mut anew = anew;
                for _ in 0..count {
                    if !self.take_part(std::mem::take(&mut anew), again) {
                        break;
                    }
                }
            }
            Step::LeaveParts => self.leave_parts(),
            Step::WantNoPart => {
                self.call(|world| world.endpoint.want_no_part(&mut world.make));
                self.settle();
            }
            Step::Send { size, text } => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                self.send(opcode, vec![b'y'; size]);
            }
            Step::Begin { text } if self.message.is_none() && self.endpoint.is_open() => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                self.message = Some(opcode);
                self.call(|world| world.endpoint.begin_message(opcode, false));
            }
            Step::Fragment { size, fin } => self.send_fragment(vec![b'z'; size], fin),
            Step::BreakOff => self.break_message_off(),
            Step::SendPing { awaited } => {
                let payload = format!("{}", self.pings.len()).into_bytes();
                if self.endpoint.is_open() {
                    let now = self.make.instant();
                    assert!(self.endpoint.pinging(&payload, now, awaited).is_ok());
                    self.model.ping(payload.clone(), self.make.now, awaited);
                }
                self.pings.push(payload.clone());
                self.send(Opcode::Ping, payload);
            }
            Step::Shut { code } => self.close(code),
            Step::Abort => self.abort(),
            Step::Fail => {
                self.call(|world| {
                    world.endpoint.fail_now("it is late".to_owned(), &mut world.make);
                    world.take_in();
                    world.check_parsed();
                    world.model.fail(1006);
                    world.give_up();
                });
                self.settle();
            }
            Step::Pause { pause } => {
                self.user_paused = pause;
                self.call(|world| world.endpoint.pause_reading(pause));
                self.settle();
            }
            _ => {}
        }
    }

    /// Take what is there, or answer the peer's end if that is wanted; returns whether there may be
    /// more.
    pub fn receive(&mut self) -> bool {
        self.leave_parts();
        self.ask();
        if self.endpoint.has_message() {
            return self.take_one();
        }
        self.check_nothing_waits();
        false
    }

    fn ask(&mut self) {
        if !self.endpoint.has_message() && self.endpoint.wants_asking() {
            self.call(|world| world.endpoint.ask());
            self.settle();
        }
    }

    fn check_nothing_waits(&self) {
        self.check_parsed();
        assert!(!self.endpoint.is_reading_paused() || self.user_paused, "nothing pauses reading");
    }

    /// Take a part of a message, if it is there, or what comes instead; returns whether there may be
    /// more.
    fn take_part(&mut self, anew: bool, again: bool) -> bool {
        if self.endpoint.streaming_obstacle().is_some() {
            return false;
        }
        let begins = anew || self.endpoint.streamed() == 0;
        if begins && self.endpoint.streamed() > 0 {
            self.expect_left();
        }
        let wanted = self.call(|world| world.endpoint.want_part(begins, &mut world.make));
        assert!(wanted);
        self.settle();
        self.ask();
        if !self.endpoint.has_message() {
            self.check_nothing_waits();
            return false;
        }
        if again {
            self.call(|world| {
                let Some(item) = world.endpoint.take_part() else { return };
                if item.kind.is_part() {
                    world.put_back += item.content.len() + OVERHEAD;
                    world.endpoint.put_back(item, &mut world.make);
                } else {
                    world.expect(Some(&item));
                }
            });
            self.settle();
            if self.parts().next().is_none() {
                return false;
            }
        }
        let took = self.call(|world| {
            let item = world.endpoint.take_part();
            match &item {
                Some(item) if item.kind.is_part() => world.expect_part(item),
                item => world.expect(item.as_ref()),
            }
            item.is_some()
        });
        self.settle();
        took
    }

    /// All parts are the message.
    fn expect_part(&mut self, part: &Item<Content>) {
        self.taken.extend_from_slice(&part.content);
        let more = part.kind == Kind::Part;
        assert_eq!(self.endpoint.streamed() > 0, more);
        if !more {
            let whole = self.model.waiting.pop_front().map(|item| item.content);
            assert_eq!(whole.as_ref(), Some(&self.taken));
            self.taken.clear();
        }
    }

    /// Receive no more of the message that is received in parts.
    pub fn leave_parts(&mut self) {
        if self.endpoint.is_streaming() {
            self.expect_left();
            self.call(|world| world.endpoint.leave_parts());
            assert!(!self.endpoint.is_streaming() && self.parts().next().is_none());
            self.settle();
        }
    }

    /// Its rest is for nobody.
    fn expect_left(&mut self) {
        if self.parts().any(|part| part.kind == Kind::LastPart) {
            self.model.waiting.pop_front();
        } else {
            self.model.left |= self.endpoint.streamed() > 0 || self.parts().next().is_some();
        }
        self.taken.clear();
    }

    /// Whether a close frame is out, or is owed to the peer's end.
    fn is_answered(&self) -> bool {
        let closed = self.model.peer_closed.is_some() && self.setting.autoclose;
        self.transport.close.is_some() || closed || self.model.has_breach()
    }

    /// All that has arrived can be taken, or has been.
    fn check_parsed(&self) {
        let unit = self.peer.units.front();
        let arrived = unit.is_some_and(|unit| unit.end <= self.peer.delivered());
        assert!(!arrived || self.model.deaf, "{unit:?} has arrived");
    }

    pub fn take_one(&mut self) -> bool {
        let took = self.call(|world| {
            let item = world.endpoint.take();
            world.expect(item.as_ref());
            item.is_some()
        });
        self.settle();
        took
    }

    /// It is the first that waits.
    fn expect(&mut self, item: Option<&Item<Content>>) {
        let expected = self.model.waiting.pop_front();
        assert_eq!(item, expected.as_ref());
        if item.is_none() {
            assert_eq!(self.endpoint.phase(), Phase::Gone);
        }
    }

    /// As `receive_many` does, which takes what comes in meanwhile, too; with `only` as
    /// `receive_many_str` does.
    fn take_all(&mut self, only: Option<Kind>) {
        self.leave_parts();
        if !self.endpoint.has_message() {
            self.receive();
            return;
        }
        let mut items = Vec::new();
        while items.len() < 100_000 {
            let earlier = items.len();
            self.call(|world| {
                assert_eq!(world.endpoint.take_queued(only, &mut items), Ok(()));
                for (item, _) in &items[earlier..] {
                    world.expect(Some(item));
                }
            });
            assert!(!self.is_next(only));
            self.settle();
            assert_eq!(self.endpoint.has_queued(only), self.is_next(only));
            if !self.is_next(only) {
                break;
            }
        }
        if items.is_empty() && only.is_some() && self.endpoint.has_message() {
            self.take_one();
        }
        self.settle();
    }

    /// Whether a message waits, of this kind if there is one.
    fn is_next(&self, only: Option<Kind>) -> bool {
        self.model.waiting.front().is_some_and(|item| only.is_none_or(|kind| item.kind == kind))
    }

    /// Take messages that cannot be handed out after all.
    fn put_back(&mut self, late: bool, count: usize) {
        self.leave_parts();
        let mut taken = Vec::new();
        while taken.len() < count
            && self.endpoint.has_message()
            && let Some(item) = self.call(|world| {
                let item = world.endpoint.take();
                world.expect(item.as_ref());
                item
            })
        {
            taken.push(item);
        }
        if late {
            self.settle();
        }
        // All may have been taken, and the end answered.
        self.model.answer_waits = false;
        for item in taken.into_iter().rev() {
            self.put_back += item.content.len() + OVERHEAD;
            self.model.waiting.push_front(item.clone());
            self.call(|world| world.endpoint.put_back(item, &mut world.make));
        }
        self.settle();
    }

    /// Send a frame at once, whether or not writing is paused.
    fn send(&mut self, opcode: Opcode, payload: Vec<u8>) {
        let open = self.endpoint.is_open();
        let permitted = self.call(|world| world.endpoint.permit(opcode, payload.len()));
        assert_eq!(permitted, open);
        if !permitted {
            return;
        }
        let Ok(key) = keys::draw() else { return };
        let header = Header::new(opcode, payload.len(), Some(key));
        if self.endpoint.holds(opcode) {
            assert!(self.message.is_some() && !opcode.is_control());
            self.held.push_back((opcode, payload.clone(), true));
            let held = self.call(|world| world.endpoint.hold_back(&header, &payload));
            assert_eq!(held, Ok(()));
            return;
        }
        assert!(self.message.is_none() || opcode.is_control(), "between fragments");
        self.write_frame(&header, payload);
        self.settle();
    }

    fn write_frame(&mut self, header: &Header, payload: Vec<u8>) {
        let mut frame = Vec::new();
        frame::append_frame(header, &payload, &mut frame);
        self.transport.permitted.push_back((header.opcode, payload, header.fin));
        self.write(&frame);
        assert_eq!(self.transport.permitted.len(), 0);
        if self.transport.closing {
            self.model.answer_waits = false;
            self.call(|world| world.endpoint.sever());
        }
    }

    /// Send the next fragment, if there is a message.
    fn send_fragment(&mut self, payload: Vec<u8>, fin: bool) {
        let permitted = self.call(|world| world.endpoint.permit_fragment(&payload, fin));
        assert_eq!(permitted, Ok(self.message));
        let (Some(opcode), Ok(key)) = (self.message, keys::draw()) else { return };
        let size = payload.len();
        let header = Header { fin, ..Header::new(opcode, size, Some(key)) };
        self.write_frame(&header, payload);
        if self.message.is_some() {
            self.message = (!fin).then_some(Opcode::Continuation);
            if fin {
                self.transport.permitted.append(&mut self.held);
            }
            self.call(|world| world.endpoint.fragment_written(size, fin, &mut world.make));
        }
        self.settle();
    }

    /// Give the message in fragments up.
    fn break_message_off(&mut self) {
        if self.message == Some(Opcode::Continuation) {
            return self.close_by(1011, |world, waits| {
                world.endpoint.break_off(waits, &mut world.make);
                // What was held back may have the peer's end in it, which is answered instead.
                world.endpoint.sent_close().is_some_and(|(frame, _)| frame.code == Some(1011))
            });
        }
        self.message = None;
        self.transport.permitted.append(&mut self.held);
        self.call(|world| world.endpoint.break_off(false, &mut world.make));
        self.settle();
    }

    pub fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: Some(code), reason: "done".to_owned() };
        self.close_by(code, |world, waits| world.endpoint.close(&frame, waits, &mut world.make));
    }

    /// Close by a call that returns whether it sends a close frame.
    fn close_by(&mut self, code: u16, close: impl FnOnce(&mut Self, bool) -> bool) {
        let (waits, again) = (self.waits, self.model.called);
        self.call(|world| {
            let sends = close(world, waits);
            world.take_in();
            world.check_parsed();
            let over = again || world.transport.lost || world.given_up;
            assert!(!(sends && over), "it is over");
            assert!(sends || over || world.torn || world.is_answered(), "no close frame");
            world.model.called = true;
            world.model.answer_waits = false;
            world.model.ends = true;
            if sends {
                world.own_codes.push(code);
                if waits && world.model.waiting.is_empty() && !world.transport.lost {
                    world.model.push(Kind::Closing, Vec::new());
                }
            }
        });
        self.settle();
    }

    pub fn abort(&mut self) {
        self.torn = true;
        self.call(|world| world.endpoint.abort());
        self.model.ends = true;
        self.settle();
    }
}
