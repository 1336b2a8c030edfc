//! A whole connection, uncompressed (RFC 6455 §5).

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

mod parts;

type Outcome = (Vec<Event<'static>>, Option<ProtocolError>);

fn feed(connection: &mut Connection, mut input: &[u8], outcome: &mut Outcome) {
    while outcome.1.is_none() {
        match connection.next_event(&mut input) {
            // Announced or not, depending on the chunks; the message itself must come.
            Ok(Some(Event::Large(_))) => {}
            Ok(Some(event)) => outcome.0.push(owned(event)),
            Ok(None) => break,
            Err(error) => outcome.1 = Some(error),
        }
    }
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

fn run(limit: u64, pieces: &[&[u8]]) -> Outcome {
    let mut connection = Connection::new(limit);
    let mut outcome = Outcome::default();
    for piece in pieces {
        feed(&mut connection, piece, &mut outcome);
    }
    outcome
}

fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let header = Header { fin, ..Header::new(opcode, payload.len(), None) };
    let mut out = Vec::new();
    frame::append_frame(&header, payload, &mut out);
    out
}

/// Mostly what a good server sends: whole and fragmented messages with control frames between;
/// now and then stray bytes, which must be refused alike under any chunking.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let control = (prop_oneof![Just(Opcode::Ping), Just(Opcode::Pong)], vec(any::<u8>(), 0..126))
        .prop_map(|(opcode, payload)| frame(opcode, true, &payload));
    let message = (any::<bool>(), vec(any::<String>(), 1..4), vec(control.clone(), 0..3));
    let message = message.prop_map(|(text, parts, controls)| {
        let mut out = Vec::new();
        let mut controls = controls.into_iter();
        for (index, part) in parts.iter().enumerate() {
            let opcode = match (index, text) {
                (0, true) => Opcode::Text,
                (0, false) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            out.extend(frame(opcode, index + 1 == parts.len(), part.as_bytes()));
            out.extend(controls.next().unwrap_or_default());
        }
        out
    });
    let long = (126..70_000usize).prop_map(|n| frame(Opcode::Binary, true, &vec![7; n]));
    let close = Just(frame(Opcode::Close, true, b"\x03\xe8bye"));
    let stray = vec(any::<u8>(), 1..6);
    let item = prop_oneof![6 => message, 3 => control, 1 => long, 1 => close, 1 => stray];
    vec(item, 0..8).prop_map(|items| items.concat())
}

proptest! {
    #[test]
    fn any_chunking_yields_the_same_events(
        stream in stream(), cuts in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let limit = 60_000;
        let whole = run(limit, &[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> =
            cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&run(limit, &pieces), &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&run(limit, &bytes), &whole);
    }

    #[test]
    fn garbage_never_panics(garbage in vec(any::<u8>(), 0..300)) {
        run(1000, &[&garbage]);
    }
}

#[test]
fn fragments_with_a_ping_between() {
    let stream = [
        frame(Opcode::Text, false, b"Hel"),
        frame(Opcode::Ping, true, b"?"),
        frame(Opcode::Continuation, true, b"lo"),
    ]
    .concat();
    let expected =
        vec![Event::Ping(b"?".as_slice().into()), Event::Text(b"Hello".as_slice().into())];
    assert_eq!(run(UNLIMITED, &[&stream]), (expected, None));
}

#[test]
fn bad_text_is_refused_inside_its_frame() {
    let stream = frame(Opcode::Text, true, b"ab\xffcdefgh");
    let (events, error) = run(UNLIMITED, &[&stream[..5]]);
    assert_eq!((events, error), (vec![], Some(ProtocolError::InvalidUtf8(2))));
}

#[test]
fn reserved_bits_and_masks_are_refused_at_once() {
    for bits in 1..8u8 {
        let (_, error) = run(UNLIMITED, &[&[0x82 | bits << 4]]);
        assert_eq!(error, Some(ProtocolError::ReservedBits(bits)));
    }
    assert_eq!(run(UNLIMITED, &[&[0x82, 0x80 | 127]]).1, Some(ProtocolError::Masked));
}

#[test]
fn the_header_alone_is_enough_to_refuse_a_size() {
    let header = &frame(Opcode::Binary, true, &[0; 101])[..2];
    let error = ProtocolError::MessageTooBig { size: 101, limit: 100 };
    assert_eq!(run(100, &[header]).1, Some(error));
    assert_eq!(run(101, &[header]).1, None);
}

#[test]
fn a_large_message_is_gathered_by_the_caller() -> Result<(), ProtocolError> {
    let payload: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let stream =
        [frame(Opcode::Binary, true, &payload), frame(Opcode::Pong, true, b"after")].concat();
    for first in [10, 11, 5000, 100_000] {
        let mut connection = Connection::new(UNLIMITED);
        let mut gathered = Vec::new();
        let (mut input, rest) = stream.split_at(first);
        assert_eq!(connection.next_event(&mut input)?, Some(Event::Large(100_000)));
        gathered.extend_from_slice(connection.gather(&mut input));
        assert!(input.is_empty());
        // Some of it goes past the connection to its place.
        let (placed, mut rest) = rest.split_at((100_000 - gathered.len()) / 2);
        gathered.extend_from_slice(placed);
        connection.gathered(placed.len());
        gathered.extend_from_slice(connection.gather(&mut rest));
        assert_eq!(gathered, payload);
        let after = Event::Pong(b"after".as_slice().into());
        assert_eq!(connection.next_event(&mut rest)?, Some(after));
    }
    Ok(())
}

#[test]
fn only_a_whole_binary_message_is_announced() {
    let long = vec![b'x'; 100_000];
    for (opcode, fin) in [(Opcode::Text, true), (Opcode::Binary, false)] {
        let mut connection = Connection::new(UNLIMITED);
        let stream = frame(opcode, fin, &long);
        assert_eq!(connection.next_event(&mut &stream[..5000]), Ok(None));
    }
    let mut connection = Connection::new(UNLIMITED);
    let mut whole: &[u8] = &frame(Opcode::Binary, true, &long);
    let expected = Event::Binary(long.as_slice().into());
    assert_eq!(connection.next_event(&mut whole), Ok(Some(expected)));
}

#[test]
fn nothing_is_read_after_close_or_error() {
    let message = frame(Opcode::Binary, true, b"late");
    let (events, error) =
        run(UNLIMITED, &[&[frame(Opcode::Close, true, b""), message.clone()].concat()]);
    assert_eq!((events, error), (vec![Event::Close(CloseFrame::default())], None));

    let mut connection = Connection::new(UNLIMITED);
    let mut bad: &[u8] = &[0x83, 0x00];
    assert_eq!(connection.next_event(&mut bad), Err(ProtocolError::ReservedOpcode(3)));
    let mut input: &[u8] = &message;
    assert_eq!(connection.next_event(&mut input), Ok(None));
    assert!(input.is_empty());
    let mut out = Vec::new();
    assert_eq!(connection.close(&CloseFrame::default(), [0; 4], &mut out), Ok(()));
    assert!(!std::mem::take(&mut out).is_empty());
    connection.abandon();
    assert_eq!(connection.close(&CloseFrame::default(), [0; 4], &mut out), Ok(()));
    assert!(out.is_empty());
}

#[test]
fn messages_still_arrive_after_our_close_frame() {
    let mut connection = Connection::new(UNLIMITED);
    let close = CloseFrame { code: Some(1000), reason: String::new() };
    let mut out = Vec::new();
    assert_eq!(connection.close(&close, [0; 4], &mut out), Ok(()));
    assert_eq!(connection.close(&close, [0; 4], &mut out), Ok(()));
    assert_eq!(out, b"\x88\x82\0\0\0\0\x03\xe8", "once");
    let stream = [frame(Opcode::Binary, true, b"x"), frame(Opcode::Close, true, b"")].concat();
    let mut outcome = Outcome::default();
    feed(&mut connection, &stream, &mut outcome);
    assert_eq!(outcome.0.len(), 2);
    assert_eq!(connection.close_state(), State::Closed);
}
