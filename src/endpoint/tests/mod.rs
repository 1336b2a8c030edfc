//! One endpoint at a time, and what it does about one thing.

use std::time::{Duration, Instant};

use super::*;
use crate::close::CloseFrame;
use crate::frame::{self, Header};
use crate::mask;
use crate::registry::Opcode;

mod arriving;
mod endings;
mod fragments;
mod parts;
mod policies;
mod sending;

/// Makes messages of bytes; for large ones it has a place, unless it has no memory at all.
#[derive(Debug, Default)]
struct Bytes {
    exhausted: bool,
    places: bool,
    place: Vec<u8>,
    /// What it has for a clock.
    now: Option<Instant>,
}

impl Bytes {
    fn made(&self, payload: &[u8]) -> Option<Vec<u8>> {
        (!self.exhausted).then(|| payload.to_vec())
    }
}

impl Make for Bytes {
    type Content = Vec<u8>;

    fn text(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        self.made(payload)
    }

    fn bytes(&mut self, _: Kind, payload: &[u8]) -> Option<Vec<u8>> {
        self.made(payload)
    }

    fn unmake(&self, content: &Vec<u8>, payload: &mut Vec<u8>) -> Option<()> {
        (!self.exhausted).then(|| payload.extend_from_slice(content))
    }

    fn close(&mut self, frame: &CloseFrame) -> Option<Vec<u8>> {
        self.made(frame.reason.as_bytes())
    }

    fn notice(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn begin(&mut self, _: usize) -> bool {
        self.places
    }

    fn append(&mut self, piece: &[u8]) {
        self.place.extend_from_slice(piece);
    }

    fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.place)
    }

    fn forget(&mut self) {
        self.place.clear();
    }

    fn now(&mut self) -> Instant {
        *self.now.get_or_insert_with(Instant::now)
    }
}

type Tested = Endpoint<Vec<u8>>;

fn open() -> Tested {
    Endpoint::new(Settings::default())
}

/// A frame of the server's.
fn said(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::append_frame(&Header::new(opcode, payload.len(), None), payload, &mut out);
    out
}

/// A message of 70,000 bytes, which is announced before it is whole.
fn large() -> Vec<u8> {
    said(Opcode::Binary, &vec![7; 70_000])
}

/// Let a message of `size` bytes arrive.
fn arrive(endpoint: &mut Tested, size: usize) {
    endpoint.read(&said(Opcode::Binary, &vec![7; size]), &mut Bytes::default());
}

/// What is to be written, without its masks.
fn written(endpoint: &mut Tested) -> Vec<(Opcode, Vec<u8>)> {
    let frames = endpoint.take_frames();
    let (mut rest, mut out) = (frames.as_slice(), Vec::new());
    while let Ok(Some((header, length))) = Header::parse(rest) {
        let (payload, after) = rest[length..].split_at(usize::try_from(header.length).unwrap());
        let mut plain = payload.to_vec();
        mask::in_place(&mut plain, header.key.unwrap());
        out.push((header.opcode, plain));
        rest = after;
    }
    assert_eq!(rest, b"");
    out
}

/// A close frame with this code.
fn closing(code: u16) -> (Opcode, Vec<u8>) {
    (Opcode::Close, code.to_be_bytes().to_vec())
}

/// What is done before anything else happens.
fn take_due(endpoint: &mut Tested) -> Due {
    let due = endpoint.due();
    endpoint.take_due(due);
    due
}

/// All that can be taken, by kind.
fn kinds(endpoint: &mut Tested) -> Vec<Kind> {
    std::iter::from_fn(|| endpoint.take()).map(|item| item.kind).collect()
}

/// What a batch is of.
fn queued(endpoint: &mut Tested, only: Option<Kind>) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    endpoint.take_queued(only, &mut items).unwrap();
    items.into_iter().map(|(item, _)| item.content).collect()
}

/// An endpoint whose inbox is full, with two messages, and that holds a third back.
fn full() -> Tested {
    let mut endpoint = open();
    arrive(&mut endpoint, inbox::HIGH_WATER);
    arrive(&mut endpoint, 1);
    arrive(&mut endpoint, 2);
    endpoint
}

/// Let nothing be held back that need not be.
fn parse(endpoint: &mut Tested) {
    while endpoint.take_due(Due::PARSE) {
        endpoint.parse_held(&mut Bytes::default());
    }
}
