//! What ends a connection, and what is done about it.

use super::Endpoint;
use super::due::Due;
use super::ending::{Event, Fate, Phase};
use super::item::{Item, Kind, Make};
use crate::close::{CloseFrame, State};
use crate::keys;
use crate::registry::code;

impl<M> Endpoint<M> {
    /// Let `event` move the ending on; returns whether it did.
    fn advance(&mut self, event: Event) -> bool {
        let Some(next) = self.ending.phase.after(event) else {
            return false;
        };
        self.ending.phase = next;
        if !next.is_open() {
            self.drop_message();
        }
        match next {
            Phase::Answering => self.owe_thing(Due::TIMER),
            Phase::Lingering => {
                self.owe_thing(Due::TIMER);
                // The peer's end of TCP is to be seen.
                self.pause_no_more();
            }
            Phase::Aborting => self.owe_thing(Due::ABORT),
            Phase::Gone => {
                self.ending.tells = true;
                self.due = self.due.without(Due::ABORT.and(Due::TIMER));
                self.owe_thing(Due::GONE.and(Due::ROOM).and(Due::WAKE));
            }
            Phase::Open | Phase::Severed | Phase::Unanswered | Phase::Closing => {}
        }
        true
    }

    /// The peer's close frame has arrived.
    pub(super) fn peer_closed<K: Make<Content = M>>(&mut self, frame: CloseFrame, make: &mut K) {
        let (autoclose, called) = (self.settings.autoclose, self.ending.called);
        let shown = !autoclose || self.settings.shows_close;
        // Before the answer, which waits until it is taken.
        if shown && !called {
            let content = make.close(&frame);
            self.push(Kind::Close, content, 0, make);
        }
        if autoclose || called {
            // §5.5.1: the answer usually echoes the code.
            let answer = if self.settings.only_data {
                frame.copied()
            } else {
                CloseFrame { code: frame.code, reason: String::new() }
            };
            self.end_by_peer(Fate::Closed(frame), answer, make);
        } else {
            self.ending.fate.get_or_insert(Fate::Closed(frame));
            self.advance(Event::PeerCloses);
        }
    }

    /// The peer has ended the connection: tell the user, and answer when the messages before are taken,
    /// or at once if there are none.
    pub(super) fn end_by_peer<K: Make<Content = M>>(
        &mut self,
        fate: Fate,
        answer: CloseFrame,
        make: &mut K,
    ) {
        let at_once = self.settings.only_data || self.inbox.is_empty();
        self.fail(fate, make);
        self.advance(Event::PeerEnds);
        if self.ending.phase == Phase::Answering {
            self.ending.answer = Some(answer);
            if at_once {
                self.answer();
            }
        } else {
            self.owe_close(&answer);
        }
    }

    /// Note how the connection has ended; if it is by a failure, one message says so.
    fn fail<K: Make<Content = M>>(&mut self, fate: Fate, make: &mut K) {
        if self.ending.fate.is_some() {
            return;
        }
        let failed = !matches!(fate, Fate::Closed(_));
        self.ending.fate = Some(fate);
        if failed && !self.ending.called && !self.settings.only_data {
            // Without memory for it, the fate still says it.
            let _ = self.inbox.push(Kind::Error, make.notice(), 0);
            self.owe_thing(self.inbox.due());
        }
    }

    /// Drop the connection for what went wrong on this side: what arrived before can still be taken.
    pub(super) fn give_up<K: Make<Content = M>>(&mut self, fate: Fate, make: &mut K) {
        self.core.abandon();
        self.ignore_input(make);
        self.abort();
        self.fail(fate, make);
    }

    /// Answer the peer's end, if it waits for that.
    fn answer(&mut self) {
        if let Some(answer) = self.ending.answer.take()
            && self.advance(Event::Answer)
        {
            self.owe_close(&answer);
        }
    }

    /// Whether a receiver that finds nothing is to [`ask`](Self::ask) first.
    #[must_use]
    #[inline]
    pub fn wants_asking(&self) -> bool {
        self.ending.phase == Phase::Answering || self.ending.asked
    }

    /// Somebody wants a message, and there is nothing but the peer's end to be answered.
    pub fn ask(&mut self) {
        if std::mem::take(&mut self.ending.asked) {
            self.advance(Event::Answer);
            self.owe_close(&CloseFrame { code: Some(code::NORMAL), reason: String::new() });
        }
        self.answer();
    }

    /// `item`, or nothing, was taken, and may be the last.
    #[cold]
    pub(super) fn taken_to_the_end(&mut self, item: Option<&Item<M>>) {
        self.answer();
        self.ending.told |= item.is_some() || self.ending.phase == Phase::Gone;
        let asks = self.settings.shows_close && !self.settings.autoclose;
        self.ending.asked = asks && item.is_some_and(|item| item.kind == Kind::Close);
    }

    /// Owe this side's close frame, if it is not out and there is a transport to take it.
    fn owe_close(&mut self, frame: &CloseFrame) {
        if self.ending.phase == Phase::Gone {
            return;
        }
        let owed = match keys::draw() {
            Ok(key) => self.core.close(frame, key, &mut self.owed).is_ok(),
            Err(_) => false,
        };
        if owed && self.ending.sent.is_none() {
            let answers = matches!(self.ending.fate, Some(Fate::Closed(_)));
            self.ending.sent = Some((frame.copied(), answers));
        }
        if !owed {
            self.abort();
        } else if !self.owed.is_empty() {
            self.owe_thing(Due::WRITE);
        }
    }

    /// Begin the closing handshake (§7.1.2), or finish the one that the peer began. What has arrived
    /// can still be taken; what comes from now on is discarded. With `waits`, somebody waits for a
    /// message, and is told.
    ///
    /// Returns whether a close frame is sent for that: `false` if one was before, or the connection is
    /// gone.
    pub fn close<K: Make<Content = M>>(
        &mut self,
        frame: &CloseFrame,
        waits: bool,
        make: &mut K,
    ) -> bool {
        self.read_to_the_end(make);
        // If the peer has ended the connection, it is that end which is answered.
        self.answer();
        let half_open = matches!(self.core.close_state(), State::Open | State::CloseReceived);
        let sends = half_open && !self.ending.called;
        self.ending.called = true;
        self.ending.discards |= !self.settings.only_data;
        if sends {
            self.advance(Event::Close);
            self.owe_close(frame);
            if waits && !self.has_message() && !self.settings.only_data {
                let content = make.notice();
                self.push(Kind::Closing, Some(content), 0, make);
            }
        }
        sends
    }

    /// This side is going to close: let whoever waits for a message be told.
    pub fn announce_close<K: Make<Content = M>>(&mut self, make: &mut K) {
        let content = make.notice();
        self.push(Kind::Closing, Some(content), 0, make);
    }

    /// Nobody wants what waits any more, nor to wait for the end: whoever wants a message is told of the
    /// end, from now on and at once.
    pub fn dismiss(&mut self) {
        self.ending.asked = false;
        self.ending.tells = true;
        while self.inbox.pop().is_some() {}
        self.owe_thing(Due::WAKE);
    }

    /// The peer sends nothing more. The transport closes itself, but only after what it has buffered is
    /// written, and such a peer may never read it.
    pub fn end_of_file(&mut self) {
        self.ending.eof = true;
        // The last chance to answer its close frame.
        self.answer();
        self.advance(Event::Eof);
    }

    /// The time is up that [`Due::TIMER`] asked for.
    pub fn expired(&mut self) {
        if self.ending.phase == Phase::Answering {
            self.answer();
        } else {
            self.advance(Event::Expire);
        }
    }

    /// Drop the connection, and what is not written yet, at once.
    pub fn abort(&mut self) {
        self.advance(Event::Abort);
    }

    /// Fail the connection at once, with no closing handshake, for this reason. What was read before
    /// can still be taken.
    pub fn fail_now<K: Make<Content = M>>(&mut self, reason: String, make: &mut K) {
        self.read_to_the_end(make);
        self.give_up(Fate::GivenUp(reason), make);
    }

    /// The transport is found to write nothing more, and says for itself when it is gone.
    pub fn sever(&mut self) {
        self.advance(Event::Sever);
    }

    /// The transport is gone. What has arrived can still be taken.
    ///
    /// Returns whether this side has brought that about, so that nothing needs to explain it.
    pub fn lose<K: Make<Content = M>>(&mut self, make: &mut K) -> bool {
        let ours = self.ending.phase == Phase::Aborting && !self.ending.eof;
        self.core.abandon();
        if self.gathering.is_some() {
            // Its rest does not come any more.
            self.ignore_input(make);
        }
        self.ending.answer = None;
        self.forget_compressed();
        self.advance(Event::Lose);
        ours
    }

    /// Whether neither side has ended the connection, so that a ping can be sent and may be answered.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.ending.phase == Phase::Open
    }

    /// Whether the end comes without anybody's doing more: a timer, or whoever closes, sees to it.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        let waits = matches!(self.ending.phase, Phase::Open | Phase::Severed | Phase::Unanswered);
        self.ending.called || !waits
    }

    /// Whether the user knows that it is over: this side closes, or has given the connection up, or has
    /// handed the end out as a message.
    fn is_over(&self) -> bool {
        let given_up = matches!(self.ending.fate, Some(Fate::GivenUp(_)));
        self.ending.called || self.ending.told || given_up
    }

    /// aiohttp's `closed`: this side closes or the connection has ended, and nothing that arrived
    /// before is left to take. In aiohttp's own order, the end has to be taken, too.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        if self.settings.shows_close {
            return self.is_over() && !self.ending.asked;
        }
        let over = !self.core.is_reading() || self.ending.phase == Phase::Gone;
        self.ending.called || over && self.is_empty()
    }

    /// The close code (§7.1.5), once it is known; 1006 if the transport is gone without a word. In
    /// aiohttp's order it is not told before the end.
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        if self.settings.shows_close && !self.is_over() {
            return None;
        }
        let gone = (self.ending.phase == Phase::Gone).then_some(code::ABNORMAL);
        self.ending.fate.as_ref().map(Fate::code).or(gone)
    }
}
