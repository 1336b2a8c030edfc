//! From now on both sides take what is offered: then everything ends.

use wsclient::endpoint::{Due, Phase};

use super::step::{Ending, Step};
use super::world::World;

impl World {
    pub fn finish(&mut self) {
        self.make.left = self.make.left.filter(|_| self.make.failed.is_some());
        self.user_step(&Step::Pause { pause: false });
        self.transport.flows = !self.setting.stubborn;
        if self.setting.stubborn {
            self.exhaust_wire();
            let open = self.endpoint.phase() == Phase::Open && !self.transport.closing;
            assert!(!open || self.peer.has_said_all(), "each side waits for the other");
        }
        self.transport.flows = self.setting.reads;
        if self.setting.reads {
            self.drain(usize::MAX);
        }
        self.exhaust_wire();
        if !self.model.ends && !self.model.called {
            let answered = self.model.pongs.is_empty() || !self.setting.reads;
            assert!(answered, "pings have no answer");
            match self.setting.ending {
                Ending::PeerCloses => self.peer.close(Some(1001)),
                Ending::UserCloses => self.close(1000),
                Ending::PeerLeaves => self.peer.leaves = true,
                Ending::Breaks => self.break_off(),
            }
        }
        // A server closes TCP when the WebSocket is over, or it has nothing more to say.
        for _ in 0..4 {
            self.exhaust_wire();
            if self.endpoint.phase() == Phase::Unanswered {
                assert!(!self.setting.shows_close, "who wants more has answered");
                self.close(1000);
            }
            if self.transport.close.is_some() && self.setting.reads && !self.setting.stubborn {
                self.peer.close(Some(1000));
            } else {
                self.peer.leaves = true;
            }
        }
        self.peer.leaves = true;
        self.exhaust_wire();
        for _ in 0..2 {
            self.tick();
            self.turn();
        }
        assert_eq!(self.endpoint.phase(), Phase::Gone, "it does not end");
        self.check_end();
    }

    /// The user takes what there is, and the network brings what the peer says.
    fn exhaust_wire(&mut self) {
        loop {
            while self.receive() {}
            let before = self.peer.delivered();
            self.deliver(usize::MAX, self.setting.places);
            self.turn();
            if self.peer.delivered() == before {
                break;
            }
        }
        while self.receive() {}
    }

    fn check_end(&mut self) {
        while self.receive() {}
        assert!(self.endpoint.is_empty() && self.endpoint.is_closed());
        assert!(!self.endpoint.is_open() && !self.endpoint.is_alive());
        assert_eq!((self.model.waiting.len(), self.model.fresh.len()), (0, 0));
        assert!(!self.endpoint.is_gathering() && !self.make.is_gathering());
        assert_eq!(self.endpoint.due(), Due::NOTHING);
        assert!(!self.endpoint.is_in_message() && self.endpoint.held_back() == 0);
        self.check_answer();
    }

    /// Which close frame has left, if one had to.
    fn check_answer(&self) {
        let model = &self.model;
        assert!(self.own_codes.len() < 2, "it has closed twice");
        let breach = model.fate.filter(|_| model.has_breach());
        let sent = self.transport.close.as_ref();
        let code =
            sent.and_then(|payload| payload.first_chunk()).map(|code| u16::from_be_bytes(*code));
        if let Some(own) = self.own_codes.first() {
            assert_eq!(code, Some(*own));
        } else if let Some(payload) = &model.peer_closed {
            let echo = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            let asks = self.setting.shows_close && !self.setting.autoclose;
            let expected = if asks { Some(1000) } else { echo };
            assert!(sent.is_none() || code == expected, "{code:?} answers {echo:?}");
            assert!(sent.is_some() || self.torn || !self.setting.autoclose, "no answer");
        } else if breach.is_some() {
            assert!(sent.is_none() || code == breach, "{code:?} answers {breach:?}");
            assert!(sent.is_some() || self.torn, "no answer");
        } else {
            assert_eq!(sent, None);
        }
    }
}
