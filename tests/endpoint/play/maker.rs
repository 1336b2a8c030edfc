//! Makes messages, or finds no memory.

use std::time::{Duration, Instant};

use wsclient::close::CloseFrame;
use wsclient::endpoint::{Kind, Make};

/// What a message holds: its payload, and for a close frame code and reason as on the wire.
pub type Content = Vec<u8>;

#[derive(Debug)]
pub struct Maker {
    /// Whether large messages have a place here.
    pub places: bool,
    /// How many more messages there is memory for.
    pub left: Option<u16>,
    /// What there was no memory for.
    pub failed: Option<Kind>,
    place: Option<(Vec<u8>, usize)>,
    start: Instant,
    /// Seconds since.
    pub now: u64,
}

impl Maker {
    pub fn new(places: bool) -> Self {
        let start = Instant::now();
        Self { places, left: None, failed: None, place: None, start, now: 0 }
    }

    fn made(&mut self, kind: Kind, payload: &[u8]) -> Option<Content> {
        match &mut self.left {
            Some(0) => {
                assert_eq!(self.failed, None, "it goes on without memory");
                self.failed = Some(kind);
                return None;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Some(payload.to_vec())
    }

    /// How many bytes the message under way lacks.
    pub fn missing(&self) -> usize {
        self.place.as_ref().map_or(0, |(place, size)| size - place.len())
    }

    pub fn is_gathering(&self) -> bool {
        self.place.is_some()
    }

    /// The time.
    pub fn instant(&self) -> Instant {
        self.start + Duration::from_secs(self.now)
    }
}

impl Make for Maker {
    type Content = Content;

    fn text(&mut self, payload: &[u8]) -> Option<Content> {
        assert!(str::from_utf8(payload).is_ok());
        self.made(Kind::Text, payload)
    }

    fn bytes(&mut self, kind: Kind, payload: &[u8]) -> Option<Content> {
        self.made(kind, payload)
    }

    fn unmake(&self, content: &Content, payload: &mut Vec<u8>) -> Option<()> {
        payload.extend_from_slice(content);
        Some(())
    }

    fn close(&mut self, frame: &CloseFrame) -> Option<Content> {
        let payload = frame.payload().ok()?;
        self.made(Kind::Close, &payload)
    }

    fn notice(&mut self) -> Content {
        Vec::new()
    }

    fn begin(&mut self, size: usize) -> bool {
        assert!(self.place.is_none(), "a message begins inside another");
        if self.places {
            self.place = Some((Vec::new(), size));
        }
        self.places
    }

    fn append(&mut self, piece: &[u8]) {
        assert!(piece.len() <= self.missing(), "more than the message");
        if let Some((place, _)) = &mut self.place {
            place.extend_from_slice(piece);
        }
    }

    fn finish(&mut self) -> Content {
        assert_eq!(self.missing(), 0, "finished before it is whole");
        self.place.take().map(|(place, _)| place).unwrap_or_default()
    }

    fn forget(&mut self) {
        self.place = None;
    }

    fn now(&mut self) -> Instant {
        self.instant()
    }
}
