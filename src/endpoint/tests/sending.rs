//! What leaves, and what it costs.

use super::*;
use crate::deflate::{Deflater, Inflater};

fn pong(payload: &[u8]) -> (Opcode, Vec<u8>) {
    (Opcode::Pong, payload.to_vec())
}

#[test]
fn pings_are_answered_in_order() {
    let mut endpoint = open();
    endpoint.read(b"\x89\x01a\x89\x00\x89\x01b", &mut Bytes::default());
    assert_eq!(written(&mut endpoint), [pong(b"a"), pong(b""), pong(b"b")]);
    assert_eq!(endpoint.due(), Due::NOTHING);
}

#[test]
fn the_newest_ping_is_answered_when_there_is_room() {
    let mut endpoint = open();
    endpoint.pause_writing();
    endpoint.read(b"\x89\x01a\x89\x01b", &mut Bytes::default());
    endpoint.pause_writing(); // It is still owed.
    assert!(endpoint.is_writing_paused());
    assert_eq!(take_due(&mut endpoint), Due::NOTHING);
    endpoint.resume_writing(&mut Bytes::default());
    assert!(!endpoint.is_writing_paused());
    assert_eq!(endpoint.due(), Due::WRITE.and(Due::ROOM));
    assert_eq!(written(&mut endpoint), [pong(b"b")]);
    endpoint.resume_writing(&mut Bytes::default());
    assert_eq!(written(&mut endpoint), []);
}

#[test]
fn no_ping_is_answered_after_the_end() {
    let mut endpoint = open();
    endpoint.pause_writing();
    endpoint.read(b"\x89\x01a", &mut Bytes::default());
    endpoint.close(&CloseFrame::default(), false, &mut Bytes::default());
    endpoint.read(b"\x89\x01b", &mut Bytes::default());
    endpoint.resume_writing(&mut Bytes::default());
    assert_eq!(written(&mut endpoint), [(Opcode::Close, vec![])]);
}

#[test]
fn frames_are_permitted_and_counted_while_it_is_open() {
    let mut endpoint = open();
    assert!(endpoint.permit(Opcode::Text, 5) && endpoint.permit(Opcode::Ping, 3));
    endpoint.read(b"\x89\x00\x81\x02ab\x82\x00", &mut Bytes::default());
    endpoint.abort();
    assert!(!endpoint.permit(Opcode::Text, 5));
    // Received, then sent: messages and their bytes, frames, control frames, bytes of compressed
    // messages as they came and as they are.
    assert_eq!(endpoint.row(), [2, 2, 3, 1, 0, 0, 1, 5, 3, 2, 0, 0, 0, 130]);
}

#[test]
fn rows_add_up_but_for_the_high_water_mark() {
    let mut sums = Row::default();
    for waited in [3, 9, 5] {
        let mut row = [2; 14];
        row[13] = waited;
        add(&mut sums, &row);
    }
    assert_eq!(sums, [6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 9]);
}

#[test]
fn messages_are_compressed_if_that_is_wanted() {
    let message: Vec<u8> = (0..100).collect();
    let mut endpoint = open();
    assert_eq!(endpoint.compress(b"a", Some(true)), None);
    endpoint.compressed(1, 1, false);
    let deflater = Deflater::new(6, 15, true).unwrap();
    let compression = Compression { deflater, min_size: 100 };
    endpoint.use_deflate(Inflater::new(true), Some(compression));
    assert_eq!(endpoint.compression().map(|compression| compression.min_size), Some(100));
    assert_eq!(endpoint.compress(&message[..99], None), None);
    assert_eq!(endpoint.compress(&message, Some(false)), None);
    assert!(endpoint.compress(&message[..99], Some(true)).is_some());
    let first = endpoint.compress(&message, None).unwrap();
    endpoint.compressed(100, first.len(), true);
    // The next may refer to it, but not to one that was not sent.
    let second = endpoint.compress(&message, None).unwrap();
    assert!(second.len() < first.len());
    endpoint.compressed(100, second.len(), false);
    assert!(endpoint.compress(&message, None).unwrap().len() > second.len());
    let row = endpoint.row();
    assert_eq!((row[10], row[11]), (100, first.len() as u64));
    endpoint.lose(&mut Bytes::default());
}
