//! When memory runs out, wherever it does: an error, or every message right; never a panic.

mod endpoint;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::{iter, ptr};

use wsclient::close::CloseFrame;
use wsclient::connection::{Connection, Event, UNLIMITED};
use wsclient::deflate::{Deflater, Inflater, RSV1};
use wsclient::error::ProtocolError;
use wsclient::frame::{self, Header};
use wsclient::registry::Opcode;

/// The system's allocator, but for a thread that has none left.
struct Rationed;

thread_local! {
    /// Bytes that the thread may still take.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn take(bytes: usize) -> bool {
    let left = LEFT.get();
    if left < usize::MAX {
        LEFT.set(left.saturating_sub(bytes));
    }
    bytes <= left
}

fn give_back(bytes: usize) {
    LEFT.set(LEFT.get().saturating_add(bytes));
}

// SAFETY: all is done by the system's allocator, or refused with null.
unsafe impl GlobalAlloc for Rationed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a moment.
        if !take(size) {
            return ptr::null_mut();
        }
        give_back(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Rationed = Rationed;

/// What `run` does with so many bytes left.
fn rationed<T>(bytes: usize, run: impl FnOnce() -> T) -> T {
    LEFT.set(bytes);
    let result = run();
    LEFT.set(usize::MAX);
    result
}

/// Little by little more.
fn rations() -> impl Iterator<Item = usize> {
    (0..300).step_by(7).chain((1..).map(|step| 300 + 12_289 * step))
}

fn append(stream: &mut Vec<u8>, fin: bool, rsv: u8, opcode: Opcode, payload: &[u8]) {
    let header = Header { fin, rsv, ..Header::new(opcode, payload.len(), None) };
    frame::append_frame(&header, payload, stream);
}

/// What has arrived, by its opcode, length and a sum of its bytes: without an allocation.
type Seen = (Opcode, usize, u64);

fn sum(payload: &[u8]) -> u64 {
    (1..).zip(payload).fold(0, |sum, (place, byte)| sum + place * u64::from(*byte))
}

fn seen(event: &Event<'_>) -> Option<Seen> {
    let (opcode, payload): (_, &[u8]) = match event {
        Event::Text(payload) => (Opcode::Text, payload),
        Event::Binary(payload) => (Opcode::Binary, payload),
        Event::Ping(payload) => (Opcode::Ping, payload),
        Event::Pong(payload) => (Opcode::Pong, payload),
        Event::Close(close) => (Opcode::Close, close.reason.as_bytes()),
        Event::Large(_) => return None,
        Event::Part(part) => (part.opcode, &part.payload),
    };
    Some((opcode, payload.len(), sum(payload)))
}

/// Messages of every kind, in fragments, compressed, empty and large, with control frames between.
fn stream(takeover: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(mut deflater) = Deflater::new(6, 15, takeover) else { return out };
    let message = |size: usize| -> Vec<u8> { (b'a'..=b'w').cycle().take(size).collect() };
    for size in [0, 3, 2000, 300_000] {
        let message = message(size);
        append(&mut out, true, 0, Opcode::Text, &message);
        append(&mut out, false, 0, Opcode::Binary, &message);
        append(&mut out, true, 0, Opcode::Ping, &message[..size.min(125)]);
        append(&mut out, true, 0, Opcode::Continuation, &message);
        let Some(payload) = deflater.deflate(&message) else { continue };
        let (head, tail) = payload.split_at(payload.len() / 2);
        append(&mut out, false, RSV1, Opcode::Text, head);
        append(&mut out, true, 0, Opcode::Pong, b"between");
        append(&mut out, true, 0, Opcode::Continuation, tail);
    }
    append(&mut out, true, 0, Opcode::Close, b"\x03\xe8all is said");
    out
}

/// Let the thread register its share of the states: the standard library wants memory for that.
fn warm_up() -> Result<(), ProtocolError> {
    Deflater::new(6, 15, true).and_then(|mut deflater| deflater.deflate(b"x"));
    Inflater::new(true).inflate(&[0], true, UNLIMITED, &mut Vec::new(), |_| Ok(()))
}

/// Read `stream` in pieces of `size` bytes with so many bytes of memory; returns how it ended.
fn read(
    stream: &[u8],
    size: usize,
    takeover: bool,
    bytes: usize,
    arrived: &mut Vec<Seen>,
) -> Result<(), ProtocolError> {
    warm_up()?;
    arrived.clear();
    let mut connection = Connection::new(UNLIMITED);
    connection.inflate_with(Inflater::new(takeover));
    rationed(bytes, || {
        for piece in stream.chunks(size) {
            let mut input = piece;
            while let Some(event) = connection.next_event(&mut input)? {
                arrived.extend(seen(&event));
            }
        }
        Ok(())
    })
}

#[test]
fn reading_fails_or_is_right() -> Result<(), ProtocolError> {
    for takeover in [true, false] {
        let stream = stream(takeover);
        for size in [7, 1000, 65_536, stream.len()] {
            let mut whole = Vec::with_capacity(1000);
            read(&stream, size, takeover, usize::MAX, &mut whole)?;
            assert_eq!(whole.len(), 4 * 5 + 1);
            let mut arrived = Vec::with_capacity(1000);
            let mut failures = 0;
            for bytes in rations() {
                // As if the thread were new, so that its share of the states is made anew, too.
                let stream = &stream;
                let outcome = std::thread::scope(|scope| {
                    scope
                        .spawn(|| read(stream, size, takeover, bytes, &mut arrived))
                        .join()
                        .map_err(|_| "it panicked")
                });
                assert!(whole.starts_with(&arrived), "with {bytes} bytes");
                match outcome {
                    Ok(Ok(())) => break,
                    failed => assert_eq!(failed, Ok(Err(ProtocolError::OutOfMemory))),
                }
                failures += 1;
            }
            assert_eq!(arrived, whole);
            assert!(failures > 3, "{failures} failures");
        }
    }
    Ok(())
}

#[test]
fn compressing_fails_or_is_right() -> Result<(), ProtocolError> {
    warm_up()?;
    let messages: Vec<Vec<u8>> = (0..40u8).map(|number| vec![number; 5000]).collect();
    for bytes in rations().take_while(|bytes| *bytes < 800_000) {
        let Some(mut deflater) = Deflater::new(6, 15, true) else { continue };
        let mut inflater = Inflater::new(true);
        let mut sent = 0;
        for (number, message) in messages.iter().enumerate() {
            // One of them fails, and the next do not refer to it.
            let left = if number == 20 { bytes } else { usize::MAX };
            let payload = rationed(left, || deflater.deflate(message));
            let Some(payload) = payload else { continue };
            let mut out = Vec::new();
            inflater.inflate(&payload, true, UNLIMITED, &mut out, |_| Ok(()))?;
            assert_eq!(out, *message);
            sent += 1;
        }
        assert!(sent >= messages.len() - 1);
    }
    Ok(())
}

#[test]
fn a_close_frame_is_built_or_is_still_to_be_sent() -> Result<(), ProtocolError> {
    let close = CloseFrame { code: Some(1000), reason: iter::repeat_n('x', 123).collect() };
    let mut failures = 0;
    for bytes in rations() {
        let mut connection = Connection::new(UNLIMITED);
        let mut out = Vec::new();
        let built = rationed(bytes, || connection.close(&close, [0; 4], &mut out));
        if built.is_err() {
            failures += 1;
            assert_eq!((connection.counts().close_sent, out.len()), (0, 0));
            connection.close(&close, [0; 4], &mut out)?;
        }
        assert_eq!((connection.counts().close_sent, out.len()), (1, frame::MAX_CONTROL_FRAME));
        if built.is_ok() {
            break;
        }
    }
    assert!(failures > 0);
    Ok(())
}
