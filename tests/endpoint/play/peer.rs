//! The server: what it says, and where on the wire each thing that it says ends.

use std::collections::VecDeque;
use std::mem;

use wsclient::deflate::{Deflater, RSV1};
use wsclient::endpoint::Kind;
use wsclient::frame::{self, Header};
use wsclient::registry::Opcode;

/// What the peer has said with all bytes before `end`.
#[derive(Debug, Clone)]
pub struct Unit {
    pub end: usize,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Data(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
    /// A breach of the protocol, and the code that answers it.
    Violation(u16),
}

#[derive(Debug)]
pub struct Peer {
    /// What it says and has not been delivered.
    wire: Vec<u8>,
    /// How many bytes it has said.
    said: usize,
    pub units: VecDeque<Unit>,
    deflater: Option<Deflater>,
    /// So that no two messages are the same.
    number: u32,
    /// The largest message, in bytes.
    pub largest: usize,
    /// It says nothing more: it has closed or broken the protocol.
    pub ended: bool,
    /// It closes its end of TCP when all is delivered.
    pub leaves: bool,
}

fn header(fin: bool, rsv: u8, opcode: Opcode, length: usize) -> Header {
    Header { fin, rsv, ..Header::new(opcode, length, None) }
}

impl Peer {
    pub fn new(deflate: bool) -> Self {
        Self {
            wire: Vec::new(),
            said: 0,
            units: VecDeque::new(),
            deflater: if deflate { Deflater::new(1, 15, true) } else { None },
            number: 0,
            largest: 0,
            ended: false,
            leaves: false,
        }
    }

    fn say(&mut self, bytes: &[u8], what: Option<What>) {
        self.wire.extend_from_slice(bytes);
        self.said += bytes.len();
        self.units.extend(what.map(|what| Unit { end: self.said, what }));
    }

    fn say_frame(&mut self, header: &Header, payload: &[u8], what: Option<What>) {
        let mut bytes = vec![0; header.encoded_len() + payload.len()];
        frame::write_frame(header, payload, &mut bytes);
        self.say(&bytes, what);
    }

    fn is_silent(&self) -> bool {
        self.ended || self.leaves
    }

    /// As much of a payload as fits, with a number at its start.
    fn payload(&mut self, size: usize) -> Vec<u8> {
        self.number += 1;
        let number = format!("{:07}", self.number);
        let mut payload = vec![b'x'; size];
        let begin = size.min(number.len());
        payload[..begin].copy_from_slice(&number.as_bytes()[..begin]);
        payload
    }

    pub fn message(&mut self, text: bool, size: usize, fragments: usize, compressed: bool) {
        if self.is_silent() {
            return;
        }
        let text = text && size < 10_000; // Validation is slow without optimisation.
        let kind = if text { Kind::Text } else { Kind::Binary };
        let begin = if text { Opcode::Text } else { Opcode::Binary };
        let payload = self.payload(size);
        self.largest = self.largest.max(size);
        let state = self.deflater.as_mut().filter(|_| compressed);
        let deflated = state.and_then(|state| state.deflate(&payload));
        let rsv = if deflated.is_some() { RSV1 } else { 0 };
        let encoded = deflated.as_ref().unwrap_or(&payload);
        let (mut rest, piece) = (encoded.as_slice(), encoded.len() / fragments);
        for index in 0..fragments {
            let last = index + 1 == fragments;
            let part;
            (part, rest) = rest.split_at(if last { rest.len() } else { piece });
            let opcode = if index == 0 { begin } else { Opcode::Continuation };
            let rsv = if index == 0 { rsv } else { 0 };
            let what = last.then(|| What::Data(kind, payload.clone()));
            self.say_frame(&header(last, rsv, opcode, part.len()), part, what);
            if !last && index.is_multiple_of(2) {
                self.ping(9);
            }
        }
    }

    pub fn ping(&mut self, size: usize) {
        if !self.is_silent() {
            let payload = self.payload(size.max(7));
            let header = header(true, 0, Opcode::Ping, payload.len());
            self.say_frame(&header, &payload.clone(), Some(What::Ping(payload)));
        }
    }

    pub fn pong(&mut self, payload: &[u8]) {
        if !self.is_silent() {
            let header = header(true, 0, Opcode::Pong, payload.len());
            self.say_frame(&header, payload, Some(What::Pong(payload.to_vec())));
        }
    }

    pub fn close(&mut self, code: Option<u16>) {
        if !self.is_silent() {
            let mut payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
            if code.is_some() {
                payload.extend_from_slice(b"bye");
            }
            let header = header(true, 0, Opcode::Close, payload.len());
            self.say_frame(&header, &payload.clone(), Some(What::Close(payload)));
            self.ended = true;
        }
    }

    pub fn violate(&mut self, how: u16) {
        const BREACHES: [(&[u8], u16); 10] = [
            (b"\xa1\x00", 1002),             // a reserved bit
            (b"\x83\x00", 1002),             // a reserved opcode
            (b"\x82\x80abcd", 1002),         // a masked frame
            (b"\x80\x00", 1002),             // nothing to continue
            (b"\x81\x02\xff\xff", 1007),     // no UTF-8
            (b"\x88\x01\x03", 1002),         // half a close code
            (b"\x88\x02\x03\xed", 1002),     // a close code that must not be sent
            (b"\x88\x03\x03\xe8\xff", 1007), // a close reason that is no UTF-8
            (b"\x82\x7e\x00\x05", 1002),     // a length in too many bytes
            (b"\x89\x7e\x00\x80", 1002),     // a long ping
        ];
        if !self.is_silent() {
            let (bytes, code) = BREACHES[usize::from(how) % BREACHES.len()];
            // What a peer says after that is for nobody.
            self.say(bytes, Some(What::Violation(code)));
            self.message(false, 5, 1, false);
            self.units.pop_back();
            self.ended = true;
        }
    }

    /// Announce more than the limit, and send none of it.
    pub fn exceed(&mut self) {
        if !self.is_silent() {
            self.say(b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", Some(What::Violation(1009)));
            self.ended = true;
        }
    }

    /// The next bytes, and how many have been delivered before.
    pub fn deliver(&mut self, size: usize) -> Vec<u8> {
        // Without a loop over bytes, which is slow without optimisation.
        let rest = self.wire.split_off(size.min(self.wire.len()));
        mem::replace(&mut self.wire, rest)
    }

    pub fn delivered(&self) -> usize {
        self.said - self.wire.len()
    }

    pub fn has_said_all(&self) -> bool {
        self.wire.is_empty()
    }
}
