//! Messages in parts: one for each frame, whatever the frames are cut into (§5.4).

use super::*;
use crate::deflate::{Deflater, RSV1};

/// A connection, and the parts that it hands out.
struct Parted {
    connection: Connection,
    parts: Vec<(Vec<u8>, bool)>,
    others: Vec<Event<'static>>,
}

impl Parted {
    fn new(limit: u64) -> Self {
        let mut connection = Connection::new(limit);
        connection.inflate_with(Inflater::new(true));
        Self { connection, parts: Vec::new(), others: Vec::new() }
    }

    fn begin(&mut self) {
        let part = self.connection.begin_parts().unwrap();
        self.parts.extend(part.map(|part| (part.payload, part.last)));
    }

    fn feed(&mut self, mut input: &[u8]) -> Option<ProtocolError> {
        loop {
            match self.connection.next_event(&mut input) {
                Ok(Some(Event::Part(part))) => self.parts.push((part.payload, part.last)),
                Ok(Some(event)) => self.others.push(owned(event)),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.parts.iter().map(|(part, _)| str::from_utf8(part).unwrap()).collect()
    }
}

/// A message of these fragments.
fn fragments(opcode: Opcode, payloads: &[&[u8]]) -> Vec<u8> {
    let frames = payloads.iter().enumerate().map(|(index, payload)| {
        let opcode = if index == 0 { opcode } else { Opcode::Continuation };
        frame(opcode, index + 1 == payloads.len(), payload)
    });
    frames.collect::<Vec<_>>().concat()
}

#[test]
fn each_frame_is_a_part_of_whole_characters() {
    let (euro, rest) = "€".as_bytes().split_at(1);
    let stream = fragments(Opcode::Text, &[b"a", euro, b"", rest, "é!".as_bytes()]);
    for size in [1, 2, stream.len()] {
        let mut parted = Parted::new(8);
        parted.begin();
        for piece in stream.chunks(size) {
            assert_eq!(parted.feed(piece), None);
        }
        assert_eq!(parted.texts(), ["a", "", "", "€", "é!"]);
        assert_eq!(parted.parts.iter().filter(|(_, last)| *last).count(), 1);
    }
}

#[test]
fn only_the_next_message_comes_in_parts() {
    let mut parted = Parted::new(UNLIMITED);
    parted.begin();
    let message = fragments(Opcode::Binary, &[b"1", b"2"]);
    assert_eq!(parted.feed(&message), None);
    assert!(!parted.connection.is_inside_parts());
    assert_eq!(parted.feed(&message), None);
    assert_eq!(parted.parts, [(b"1".to_vec(), false), (b"2".to_vec(), true)]);
    assert_eq!(parted.others, [Event::Binary(b"12".to_vec().into())]);
}

#[test]
fn what_came_with_frames_before_is_the_first_part() {
    let (euro, rest) = "€".as_bytes().split_at(2);
    let stream = fragments(Opcode::Text, &[b"one", &[b"two", euro].concat(), rest]);
    // Inside the second frame; behind it; inside a ping behind it.
    for (cut, first) in [(8, "one"), (12, "onetwo"), (13, "onetwo")] {
        let mut parted = Parted::new(UNLIMITED);
        let ping = frame(Opcode::Ping, true, b"?");
        let stream = [&stream[..12], &ping, &stream[12..]].concat();
        assert_eq!(parted.feed(&stream[..cut]), None);
        parted.begin();
        assert_eq!(parted.texts(), [first]);
        parted.begin();
        assert_eq!(parted.feed(&stream[cut..]), None);
        assert_eq!(parted.texts().concat(), "onetwo€");
        assert_eq!(parted.texts().len(), if cut == 8 { 3 } else { 2 });
    }
}

#[test]
fn the_cut_does_not_go_through_a_character_that_is_whole_by_then() {
    let (euro, rest) = "€".as_bytes().split_at(1);
    let stream = fragments(Opcode::Text, &[&[b"a", euro].concat(), &[rest, b"bc"].concat()]);
    let mut parted = Parted::new(UNLIMITED);
    assert_eq!(parted.feed(&stream[..stream.len() - 1]), None);
    parted.begin();
    assert_eq!(parted.texts(), ["a"]);
    assert_eq!(parted.feed(&stream[stream.len() - 1..]), None);
    assert_eq!(parted.texts(), ["a", "€bc"]);
}

#[test]
fn a_message_of_which_no_part_is_out_comes_whole_again() {
    let stream = fragments(Opcode::Binary, &[b"1", b"2"]);
    let mut parted = Parted::new(UNLIMITED);
    parted.begin();
    assert_eq!(parted.feed(&stream[..2]), None);
    parted.connection.end_parts();
    assert_eq!(parted.feed(&stream[2..]), None);
    assert_eq!(parted.others, [Event::Binary(b"12".to_vec().into())]);
    parted.begin();
    assert_eq!(parted.feed(&stream[..3]), None);
    parted.connection.end_parts();
    assert_eq!(parted.feed(&stream[3..]), None);
    assert_eq!(parted.parts, [(b"1".to_vec(), false), (b"2".to_vec(), true)]);
}

#[test]
fn large_frames_are_one_part_and_announced_only_if_they_are_the_message() {
    let payload = vec![7; 100_000];
    for (fragments, whole) in
        [(&[&payload[..]][..], true), (&[b"", &payload[..]], false), (&[&payload, &payload], false)]
    {
        let stream = super::parts::fragments(Opcode::Binary, fragments);
        let mut parted = Parted::new(UNLIMITED);
        parted.begin();
        for piece in stream.chunks(30_000) {
            assert_eq!(parted.feed(piece), None);
        }
        let announced = vec![Event::Large(100_000)];
        assert_eq!(parted.others, if whole { announced } else { vec![] });
        let parts: Vec<&[u8]> = parted.parts.iter().map(|(part, _)| &part[..]).collect();
        assert_eq!(parts, fragments);
    }
}

#[test]
fn one_that_the_caller_gathers_comes_whole() {
    let payload = vec![7; 100_000];
    let stream =
        [fragments(Opcode::Binary, &[&payload]), fragments(Opcode::Text, &[b"1", b"2"])].concat();
    let mut parted = Parted::new(UNLIMITED);
    parted.begin();
    let mut input = &stream[..50_000];
    let event = parted.connection.next_event(&mut input).unwrap();
    assert_eq!(event, Some(Event::Large(100_000)));
    let missing = usize::try_from(parted.connection.missing()).unwrap();
    parted.connection.gathered(missing);
    assert_eq!(parted.feed(&stream[100_010..]), None);
    assert_eq!(parted.others, [Event::Text(b"12".to_vec().into())]);
}

#[test]
fn the_limits_hold_for_the_whole_message() {
    let mut parted = Parted::new(4);
    parted.begin();
    let stream = fragments(Opcode::Binary, &[b"12", b"34", b"5"]);
    let error = ProtocolError::MessageTooBig { size: 5, limit: 4 };
    assert_eq!(parted.feed(&stream), Some(error));
    assert_eq!(parted.parts.len(), 2);
}

/// Each of these has to come out the same whether or not the message comes in parts.
#[test]
fn a_frame_is_refused_at_its_header_or_when_too_much_comes_of_it() {
    let limit = 9;
    let refused = |size| Some(ProtocolError::FrameTooBig { size, limit });
    let compressed = |payloads: &[&[u8]]| {
        let mut stream = fragments(Opcode::Binary, payloads);
        stream[0] |= RSV1 << 4;
        stream
    };
    // "aaa" and "bbbbbbb", and ten times "x".
    let two: [&[u8]; 2] = [b"JLL\x04\x00\x00\x00\xff\xff", b"J\x82\x00\x00\x00"];
    let ten = Deflater::new(1, 15, true).unwrap().deflate(&[b'x'; 10]).unwrap();
    assert!(ten.len() < 9);
    for (stream, error) in [
        (fragments(Opcode::Binary, &[&[0; 9], b"", &[0; 9]]), None),
        (frame(Opcode::Binary, true, &[0; 10])[..2].to_vec(), refused(10)),
        (b"\x01\x00\x00\x7e\x01\x00".to_vec(), refused(256)),
        (compressed(&two), None),
        (compressed(&[&ten]), refused(10)),
        (compressed(&[two[0], &ten]), refused(10)),
        (b"\xc2\x0a".to_vec(), refused(10)),
        // Pings are no data.
        (frame(Opcode::Ping, true, &[0; 10]), None),
    ] {
        for in_parts in [false, true] {
            let mut parted = Parted::new(UNLIMITED);
            parted.connection.limit_frames(limit);
            if in_parts {
                parted.begin();
            }
            assert_eq!(parted.feed(&stream), error, "{stream:?}");
        }
    }
}

#[test]
fn the_limit_of_the_message_holds_beside_that_of_frames() {
    let ten = Deflater::new(1, 15, true).unwrap().deflate(&[b'x'; 10]).unwrap();
    let mut stream = frame(Opcode::Binary, true, &ten);
    stream[0] |= RSV1 << 4;
    let mut parted = Parted::new(9);
    parted.connection.limit_frames(9);
    assert_eq!(parted.feed(&stream), Some(ProtocolError::FrameTooBig { size: 10, limit: 9 }));
    let mut parted = Parted::new(8);
    parted.connection.limit_frames(9);
    assert_eq!(parted.feed(&stream), Some(ProtocolError::MessageTooBig { size: 9, limit: 8 }));
}

#[test]
fn text_is_checked_over_all_parts() {
    let mut parted = Parted::new(UNLIMITED);
    parted.begin();
    let stream = fragments(Opcode::Text, &[b"one", b"t\xe2\x82", b"\xff"]);
    assert_eq!(parted.feed(&stream), Some(ProtocolError::InvalidUtf8(4)));
    assert_eq!(parted.texts(), ["one", "t"]);
    let mut parted = Parted::new(UNLIMITED);
    parted.begin();
    assert_eq!(
        parted.feed(&frame(Opcode::Text, true, b"a\xe2")),
        Some(ProtocolError::InvalidUtf8(1))
    );
}

#[test]
fn a_compressed_message_is_inflated_and_counted_part_by_part() {
    let payload = Deflater::new(1, 15, true).unwrap().deflate(&[b'x'; 5000]).unwrap();
    let half = payload.len() / 2;
    let mut stream = fragments(Opcode::Text, &[&payload[..half], &payload[half..]]);
    stream[0] |= RSV1 << 4;
    let after = frame(Opcode::Text, true, b"plain");
    for limit in [4999, 5000] {
        let mut parted = Parted::new(limit);
        parted.begin();
        let error = parted.feed(&[&stream[..], &after].concat());
        if limit == 4999 {
            assert_eq!(error, Some(ProtocolError::MessageTooBig { size: 5000, limit }));
            continue;
        }
        assert_eq!((error, parted.texts().concat().len()), (None, 5000));
        assert_eq!(parted.connection.counts().inflated, 5000);
        assert_eq!(parted.others, [Event::Text(b"plain".to_vec().into())]);
    }
}
