//! What connections receive and send, on its way to a file: what waits to be written, and the lines of
//! JSON that it becomes.
//!
//! Whoever receives and sends is to lose no time over this: an entry is copied behind the one before, as
//! it is. It becomes text elsewhere, in another thread.

use std::collections::{TryReserveError, VecDeque};
use std::io::Write;
use std::mem;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::close::CloseFrame;

/// Entries are put together in pieces of so many bytes, but for one that is larger.
const PIECE: usize = 64 * 1024;
/// Time, connection, kind and size.
const HEAD: usize = 8 + 4 + 1 + 8;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The peer has sent it.
    In,
    /// This side has.
    Out,
}

/// What a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// A connection is open; the payload is the line's own members, in JSON.
    Open,
    /// A text message.
    Text(Way),
    /// A binary message.
    Binary(Way),
    /// A ping.
    Ping(Way),
    /// A pong.
    Pong(Way),
    /// A close frame, whose payload is [`closing`].
    Close(Way),
    /// A connection is over; likewise.
    End,
    /// There was no room for what came here: how many messages, and how many bytes.
    Lost,
}

impl Tells {
    const ALL: [Self; 13] = [
        Self::Open,
        Self::Text(Way::In),
        Self::Text(Way::Out),
        Self::Binary(Way::In),
        Self::Binary(Way::Out),
        Self::Ping(Way::In),
        Self::Ping(Way::Out),
        Self::Pong(Way::In),
        Self::Pong(Way::Out),
        Self::Close(Way::In),
        Self::Close(Way::Out),
        Self::End,
        Self::Lost,
    ];

    fn number(self) -> u8 {
        Self::ALL.iter().zip(0..).find(|(one, _)| **one == self).map_or(0, |(_, number)| number)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Ping(_) => "ping",
            Self::Pong(_) => "pong",
            Self::Close(_) => "close",
            Self::End => "end",
            Self::Lost => "lost",
        }
    }

    /// Whether somebody has sent it.
    fn is_message(self) -> bool {
        self.way().is_some()
    }

    fn way(self) -> Option<&'static str> {
        match self {
            Self::Text(way)
            | Self::Binary(way)
            | Self::Ping(way)
            | Self::Pong(way)
            | Self::Close(way) => Some(if way == Way::In { "in" } else { "out" }),
            Self::Open | Self::End | Self::Lost => None,
        }
    }
}

/// The payload of [`Tells::Close`] and [`Tells::End`]; a code of 0 is none.
#[must_use]
pub fn closing(frame: &CloseFrame) -> Vec<u8> {
    let mut payload = frame.code.unwrap_or(0).to_le_bytes().to_vec();
    payload.extend_from_slice(frame.reason.as_bytes());
    payload
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many messages.
    pub messages: u64,
    /// How many bytes of payload.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, tells: Tells, size: usize) {
        if tells.is_message() {
            self.messages += 1;
            self.bytes += size as u64;
        }
    }
}

/// What waits to be written.
#[derive(Debug)]
pub struct Waiting {
    pieces: VecDeque<Vec<u8>>,
    size: usize,
    limit: usize,
    /// Lost since the last entry.
    gap: Amount,
    lost: Amount,
    /// Nothing is written any more.
    over: bool,
}

impl Waiting {
    /// Nothing yet, and never many more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (gap, lost) = (Amount::default(), Amount::default());
        Self { pieces: VecDeque::new(), size: 0, limit, gap, lost, over: false }
    }

    /// Add an entry, or count it as lost if there is no room for it. Beginnings and ends of connections
    /// are small and few, and always have room.
    pub fn push(&mut self, at: Duration, connection: u32, tells: Tells, payload: &[u8]) {
        let fits = !tells.is_message() || self.size + HEAD + payload.len() <= self.limit;
        if self.over || !fits || !self.tell_gap(at) {
            return self.lose(tells, payload.len());
        }
        if self.append(at, connection, tells, payload).is_err() {
            self.lose(tells, payload.len());
        }
    }

    /// Let a line say what was lost before the next; returns whether there is memory for it.
    fn tell_gap(&mut self, at: Duration) -> bool {
        if self.gap.messages > 0 {
            let mut gap = self.gap.messages.to_le_bytes().to_vec();
            gap.extend_from_slice(&self.gap.bytes.to_le_bytes());
            if self.append(at, 0, Tells::Lost, &gap).is_err() {
                return false;
            }
            self.gap = Amount::default();
        }
        true
    }

    /// Count a message as lost.
    pub fn lose(&mut self, tells: Tells, size: usize) {
        self.gap.add(tells, size);
        self.lost.add(tells, size);
    }

    fn append(
        &mut self,
        at: Duration,
        connection: u32,
        tells: Tells,
        payload: &[u8],
    ) -> Result<(), TryReserveError> {
        let size = HEAD + payload.len();
        if self.pieces.back().is_none_or(|last| last.len() + size > PIECE) {
            let mut piece = Vec::new();
            piece.try_reserve_exact(size.max(PIECE))?;
            self.pieces.try_reserve(1)?;
            self.pieces.push_back(piece);
        }
        if let Some(last) = self.pieces.back_mut() {
            last.extend_from_slice(&nanoseconds(at).to_le_bytes());
            last.extend_from_slice(&connection.to_le_bytes());
            last.push(tells.number());
            last.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            last.extend_from_slice(payload);
            self.size += size;
        }
        Ok(())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Take the piece that has waited the longest; [`lines`] makes text of it.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.pop_front()?;
        self.size -= piece.len();
        Some(piece)
    }

    /// Nothing is written any more: what waits is lost, and so are `taken`, and all that comes.
    pub fn give_up(&mut self, taken: Amount) {
        self.over = true;
        self.lost.messages += taken.messages;
        self.lost.bytes += taken.bytes;
        while let Some(piece) = self.take() {
            for entry in entries(&piece) {
                self.lost.add(entry.tells, entry.payload.len());
            }
        }
    }

    /// What came when there was no room, or could not be written.
    #[must_use]
    pub fn lost(&self) -> Amount {
        self.lost
    }
}

/// As far as they fit, for some centuries.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

struct Entry<'a> {
    nanoseconds: u64,
    connection: u32,
    tells: Tells,
    payload: &'a [u8],
}

fn entries(mut piece: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    std::iter::from_fn(move || {
        let (nanoseconds, rest) = piece.split_first_chunk()?;
        let (connection, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*size)).ok()?);
        piece = rest;
        Some(Entry {
            nanoseconds: u64::from_le_bytes(*nanoseconds),
            connection: u32::from_le_bytes(*connection),
            tells: Tells::ALL[usize::from(*number)],
            payload,
        })
    })
}

/// Make text of a piece: a line for each entry. Returns how many messages were in it.
///
/// # Errors
/// There is no memory for it.
pub fn lines(piece: &[u8], out: &mut Vec<u8>) -> std::io::Result<Amount> {
    let mut amount = Amount::default();
    for entry in entries(piece) {
        // Escapes and base64 take more; what is short of that grows by itself.
        out.try_reserve(entry.payload.len() + 100).map_err(std::io::Error::other)?;
        line(&entry, out)?;
        amount.add(entry.tells, entry.payload.len());
    }
    Ok(amount)
}

fn line(entry: &Entry<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Entry { nanoseconds, connection, tells, payload } = entry;
    write!(out, "{{\"ns\":{nanoseconds},")?;
    if *tells != Tells::Lost {
        write!(out, "\"conn\":{connection},")?;
    }
    if let Some(way) = tells.way() {
        write!(out, "\"dir\":\"{way}\",")?;
    }
    write!(out, "\"type\":\"{}\"", tells.name())?;
    match tells {
        Tells::Open => write_members(payload, out),
        Tells::Text(_) => {
            out.extend_from_slice(b",\"text\":");
            write_text(payload, out)?;
        }
        Tells::Binary(_) | Tells::Ping(_) | Tells::Pong(_) => {
            out.extend_from_slice(b",\"base64\":\"");
            write_base64(payload, out);
            out.push(b'"');
        }
        Tells::Close(_) | Tells::End => {
            let (code, reason) = payload.split_first_chunk().unwrap_or((&[0; 2], b""));
            match u16::from_le_bytes(*code) {
                0 => out.extend_from_slice(b",\"code\":null"),
                code => write!(out, ",\"code\":{code}")?,
            }
            out.extend_from_slice(b",\"reason\":");
            write_text(reason, out)?;
        }
        Tells::Lost => {
            let (messages, rest) = payload.split_first_chunk().unwrap_or((&[0; 8], b""));
            let bytes = rest.first_chunk().unwrap_or(&[0; 8]);
            let (messages, bytes) = (u64::from_le_bytes(*messages), u64::from_le_bytes(*bytes));
            write!(out, ",\"messages\":{messages},\"bytes\":{bytes}")?;
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn write_members(members: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    out.extend_from_slice(members);
}

fn write_text(payload: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    serde_json::to_writer(out, &String::from_utf8_lossy(payload)).map_err(Into::into)
}

fn write_base64(payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + payload.len().div_ceil(3) * 4, 0);
    // The place is as large as it must be.
    let written = STANDARD.encode_slice(payload, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// The parts of a message that is not whole yet.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    /// How many bytes there were, if they were too many.
    missed: usize,
}

impl Parts {
    /// Add a part; returns the message with the last one, or its size if that is above `limit`.
    pub fn add(&mut self, part: &[u8], last: bool, limit: usize) -> Option<Result<Vec<u8>, usize>> {
        let size = self.bytes.len() + part.len();
        if self.missed > 0 || size > limit || self.bytes.try_reserve(part.len()).is_err() {
            self.missed += size;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(part);
        }
        last.then(|| {
            let whole = mem::take(self);
            if whole.missed > 0 { Err(whole.missed) } else { Ok(whole.bytes) }
        })
    }

    /// A whole message has come: what was begun has come as a part of it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
