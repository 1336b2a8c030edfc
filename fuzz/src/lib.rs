//! What several targets need: a connection that is fed, and what came of it.

#[path = "../../tests/endpoint/play/mod.rs"]
pub mod play;

use arbitrary::Arbitrary;
use wsclient::connection::{Connection, Event};
use wsclient::deflate::Inflater;
use wsclient::error::ProtocolError;

/// The connection's parameters.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Settings {
    /// The largest message.
    pub limit: u16,
    /// permessage-deflate, with context takeover or without.
    pub deflate: Option<bool>,
}

/// All that arrived, then the error that ended it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whole messages and control frames.
    pub events: Vec<Event<'static>>,
    /// What the peer did wrong.
    pub error: Option<ProtocolError>,
}

/// Feed a connection with the pieces of a stream.
///
/// # Panics
/// If a message is larger than the limit, or text is not UTF-8.
#[must_use]
pub fn run<'a>(settings: Settings, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let limit = u64::from(settings.limit);
    let mut connection = Connection::new(limit);
    if let Some(takeover) = settings.deflate {
        connection.inflate_with(Inflater::new(takeover));
    }
    let mut outcome = Outcome::default();
    for mut piece in pieces {
        while outcome.error.is_none() {
            match connection.next_event(&mut piece) {
                // Announced or not, depending on the pieces; the message itself must come.
                Ok(Some(Event::Large(_))) => {}
                Ok(Some(event)) => outcome.events.push(owned(event)),
                Ok(None) => break,
                Err(error) => outcome.error = Some(error),
            }
        }
    }
    for event in &outcome.events {
        match event {
            Event::Text(payload) => {
                assert!(std::str::from_utf8(payload).is_ok());
                assert!(payload.len() as u64 <= limit);
            }
            Event::Binary(payload) => assert!(payload.len() as u64 <= limit),
            _ => {}
        }
    }
    outcome
}

fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Text(payload) => Event::Text(payload.into_owned().into()),
        Event::Binary(payload) => Event::Binary(payload.into_owned().into()),
        Event::Ping(payload) => Event::Ping(payload.into_owned().into()),
        Event::Pong(payload) => Event::Pong(payload.into_owned().into()),
        Event::Close(close) => Event::Close(close),
        Event::Large(length) => Event::Large(length),
        Event::Part(part) => Event::Part(part),
    }
}

/// Cut `bytes` at places that are given modulo its length.
#[must_use]
pub fn cut<'a>(bytes: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|&c| usize::from(c) % (bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}
