//! What is due is carried out after each call, in the order in which the binding does it.

use wsclient::endpoint::{Due, Phase};

use super::model;
use super::step::Meddle;
use super::world::World;

impl World {
    pub fn settle(&mut self) {
        loop {
            if self.endpoint.take_due(Due::PARSE) {
                self.call(|world| world.endpoint.parse_held(&mut world.make));
            } else if self.endpoint.take_due(Due::KEYS) {
                self.ask_keys();
            } else {
                break;
            }
        }
        if self.endpoint.due().has(Due::WRITE) {
            let frames = self.endpoint.take_frames();
            self.write(&frames);
            self.check_pongs();
        }
        if self.endpoint.due().has(Due::READING)
            && let Some(pause) = self.endpoint.take_reading()
        {
            assert_ne!(pause, self.transport.reading_paused, "the transport knows");
            assert_eq!(pause, self.endpoint.is_reading_paused());
            self.transport.reading_paused = pause;
            self.transport.reads_once_more = pause;
        }
        if self.endpoint.take_due(Due::ABORT) {
            assert_eq!(self.endpoint.phase(), Phase::Aborting);
            self.aborted = true;
            self.model.ends = true;
            self.transport.abort();
        }
        if self.endpoint.take_due(Due::TIMER) {
            self.timer = Some(self.make.now + 1);
        }
        if self.endpoint.take_due(Due::TURN) {
            assert!(self.message.is_none() && self.held.is_empty());
        }
        self.endpoint.take_due(Due::ROOM);
        if self.endpoint.take_due(Due::PONGS) {
            while let Some(took) = self.endpoint.take_round_trip() {
                assert_eq!(Some(took.as_secs()), self.model.round_trips.pop_front());
            }
        }
        if self.endpoint.take_due(Due::GONE) {
            assert!(self.transport.lost);
            self.timer = None;
        }
        if self.endpoint.take_due(Due::WAKE) && self.waits && self.endpoint.has_message() {
            self.waits = false;
            self.take_one();
        }
        self.check_settled();
    }

    /// Nothing is due that the transport or the timer would have to do when it is gone; what can be
    /// taken is what the model says.
    fn check_settled(&self) {
        if self.asking {
            return;
        }
        assert_eq!(self.endpoint.due(), Due::NOTHING);
        assert_eq!((self.model.fresh.len(), self.model.round_trips.len()), (0, 0));
        assert_eq!(self.transport.permitted.len(), 0);
        let gone = self.endpoint.phase() == Phase::Gone;
        assert_eq!(gone, self.transport.lost);
        let waits = !self.model.waiting.is_empty() || self.parts().next().is_some();
        assert_eq!(self.endpoint.has_message(), gone || waits);
        if self.endpoint.is_empty() {
            assert_eq!(self.model.waiting.len(), 0);
        }
        let paused = self.endpoint.is_reading_paused();
        assert!(gone || paused == self.transport.reading_paused, "the transport does not know");
        if gone {
            assert!(!self.endpoint.is_open() && self.endpoint.is_ending());
            assert!(self.timer.is_none());
        }
        if self.model.answer_waits && self.model.holds_data() && !self.torn && !self.eof && !gone {
            assert!(self.endpoint.is_open(), "nobody can answer the messages");
        }
        if self.model.answer_leaves {
            assert!(!self.endpoint.is_open(), "nobody answers the end");
        }
        let ends = matches!(self.endpoint.phase(), Phase::Lingering | Phase::Aborting);
        let both = self.model.peer_closed.is_some() || self.model.has_breach();
        if self.transport.close.is_some() {
            assert!(!self.endpoint.is_open());
            assert!(gone || ends || !both, "TCP does not end");
        }
        assert!(gone || !self.given_up || self.aborted, "it goes on");
        // The end is to be read.
        if matches!(self.endpoint.phase(), Phase::Closing | Phase::Lingering) {
            assert!(!paused);
        }
        // Where nobody else would end it, a timer does.
        if matches!(self.endpoint.phase(), Phase::Answering | Phase::Lingering) {
            assert!(self.timer.is_some());
        }
    }

    /// Give frames to the transport, which may have enough.
    pub fn write(&mut self, frames: &[u8]) {
        if self.transport.write(frames) {
            self.call(|world| world.endpoint.pause_writing());
        }
    }

    /// Pings are answered in order, all of them if the end has not begun.
    pub fn check_pongs(&mut self) {
        while let Some(pong) = self.transport.pongs.pop_front() {
            let place = self.model.pongs.iter().position(|expected| *expected == pong);
            let Some(place) = place else { unreachable!("a pong for no ping: {pong:?}") };
            assert!(place == 0 || self.model.ends, "{place} pings have no answer");
            self.model.pongs.drain(..=place);
        }
        assert!(self.model.pongs.is_empty() || self.model.ends, "pings have no answer");
    }

    /// Do what the code does that tells keys: it may come back here.
    fn ask_keys(&mut self) {
        while let Some(fresh) = self.endpoint.take_fresh() {
            self.asking = true;
            for (item, size) in fresh {
                assert!(size <= item.content.len());
                let key = model::key(&item);
                if key.is_some() {
                    self.meddle();
                }
                assert_eq!(self.model.fresh.pop_front().as_ref(), Some(&item));
                self.model.place(item.clone());
                let instead = key.and_then(|key| self.latest.get(&key).copied());
                let sized = (item, size);
                let placed =
                    self.call(|world| world.endpoint.place(sized, instead, &mut world.make));
                let Ok(placed) = placed else { unreachable!("there is memory") };
                if let (Some(key), Some(number)) = (key, placed) {
                    self.latest.insert(key, number);
                }
            }
            self.asking = false;
            self.call(|world| world.endpoint.end_asking());
            let (_, waiting) = self.endpoint.numbers();
            assert_eq!(waiting, self.model.data_waiting());
        }
    }

    fn meddle(&mut self) {
        match self.meddle.take() {
            Some(Meddle::Take) if self.endpoint.has_message() => drop(self.take_one()),
            Some(Meddle::Close) => self.close(1001),
            Some(Meddle::Abort) => self.abort(),
            Some(Meddle::Take) | None => {}
        }
    }
}
