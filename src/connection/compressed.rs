//! Compressed messages through a whole connection (RFC 7692 §6 and §7).

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::deflate::Deflater;

type Outcome = (Vec<(Opcode, Vec<u8>)>, Option<ProtocolError>);

fn run(limit: u64, takeover: bool, pieces: &[&[u8]]) -> Outcome {
    run_in_parts(limit, takeover, pieces, &[])
}

/// The same, where `wants` says before each piece whether parts are wanted or whole messages; parts
/// are put together again.
fn run_in_parts(limit: u64, takeover: bool, pieces: &[&[u8]], wants: &[Option<bool>]) -> Outcome {
    let mut connection = Connection::new(limit);
    connection.inflate_with(Inflater::new(takeover));
    let mut events = Vec::new();
    let mut message = Vec::new();
    let mut wants = wants.iter().cycle();
    for piece in pieces {
        match wants.next() {
            Some(Some(true)) => {
                if let Some(part) = connection.begin_parts().unwrap() {
                    assert!(!part.last && message.is_empty());
                    message = part.payload;
                }
            }
            Some(Some(false)) => connection.end_parts(),
            _ => {}
        }
        let mut input = *piece;
        loop {
            match connection.next_event(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => events.push(match event {
                    Event::Text(payload) => (Opcode::Text, payload.into_owned()),
                    Event::Binary(payload) => (Opcode::Binary, payload.into_owned()),
                    Event::Ping(payload) => (Opcode::Ping, payload.into_owned()),
                    Event::Pong(payload) => (Opcode::Pong, payload.into_owned()),
                    Event::Close(close) => (Opcode::Close, close.payload().unwrap_or_default()),
                    Event::Part(part) => {
                        assert!(
                            part.opcode == Opcode::Binary || str::from_utf8(&part.payload).is_ok()
                        );
                        message.extend(part.payload);
                        if !part.last {
                            continue;
                        }
                        (part.opcode, std::mem::take(&mut message))
                    }
                    Event::Large(_) => continue,
                }),
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

fn frame(opcode: Opcode, fin: bool, rsv: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header { fin, rsv, ..Header::new(opcode, payload.len(), None) };
    let mut out = Vec::new();
    frame::append_frame(&header, payload, &mut out);
    out
}

fn deflater(level: u32, takeover: bool) -> Deflater {
    Deflater::new(level, 15, takeover).expect("zlib has such a window")
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
fn fragments_with_a_ping_between() {
    let stream = [
        frame(Opcode::Text, false, RSV1, &HELLO[..3]),
        frame(Opcode::Ping, true, 0, b"?"),
        frame(Opcode::Continuation, false, 0, b""),
        frame(Opcode::Continuation, true, 0, &HELLO[3..]),
    ]
    .concat();
    let expected = vec![(Opcode::Ping, b"?".to_vec()), (Opcode::Text, b"Hello".to_vec())];
    assert_eq!(run(5, true, &[&stream]), (expected, None));
}

#[test]
fn rsv1_is_for_the_first_frame_of_a_message() {
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close, Opcode::Continuation] {
        let first = frame(Opcode::Text, false, RSV1, HELLO);
        for begun in [&first[..], &[]] {
            let second = [0x80 | RSV1 << 4 | opcode as u8];
            let (_, error) = run(UNLIMITED, true, &[begun, &second]);
            assert_eq!(error, Some(ProtocolError::ReservedBits(RSV1)), "{opcode}");
        }
    }
    for bits in [1, 2, 3, 5, 6, 7] {
        let (_, error) = run(UNLIMITED, true, &[&[0x81 | bits << 4]]);
        assert_eq!(error, Some(ProtocolError::ReservedBits(bits)));
    }
}

#[test]
fn a_compressed_message_inside_another() {
    let stream = [frame(Opcode::Text, false, 0, b"plain"), frame(Opcode::Text, true, RSV1, HELLO)];
    let error = Some(ProtocolError::Interleaved(Opcode::Text));
    assert_eq!(run(UNLIMITED, true, &[&stream.concat()]).1, error);
}

#[test]
fn plain_messages_between_leave_the_window_alone() {
    let stream = [
        frame(Opcode::Text, true, RSV1, HELLO),
        frame(Opcode::Binary, true, 0, b"plain"),
        frame(Opcode::Text, false, 0, b"pl"),
        frame(Opcode::Continuation, true, 0, b"ain"),
        frame(Opcode::Text, true, RSV1, b"\xf2\x00\x11\x00\x00"),
    ]
    .concat();
    let messages: Vec<Vec<u8>> = run(5, true, &[&stream]).0.into_iter().map(|(_, m)| m).collect();
    assert_eq!(messages, [b"Hello", b"plain", b"plain", b"Hello"]);
}

/// Stored blocks make a message longer: what counts is its size when decompressed.
#[test]
fn the_limit_is_that_of_the_decompressed_message() {
    let message = [b'x'; 100];
    let payload = deflater(0, true).deflate(&message).unwrap_or_default();
    assert!(payload.len() > message.len());
    let stream = frame(Opcode::Binary, true, RSV1, &payload);
    assert_eq!(run(100, true, &[&stream]), (vec![(Opcode::Binary, message.to_vec())], None));
    let error = ProtocolError::MessageTooBig { size: 100, limit: 99 };
    assert_eq!(run(99, true, &[&stream]), (vec![], Some(error)));
}

#[test]
fn bad_text_is_refused_before_its_message_is_complete() {
    let payload = deflater(1, true).deflate(b"ab\xffcdefgh").unwrap_or_default();
    let stream = frame(Opcode::Text, false, RSV1, &payload);
    let error = Some(ProtocolError::InvalidUtf8(2));
    assert_eq!(run(UNLIMITED, true, &[&stream]), (vec![], error.clone()));
    assert_eq!(run(UNLIMITED, true, &[&stream[..7]]), (vec![], error));
    let cut = deflater(1, true).deflate(b"ab\xe2\x82").unwrap_or_default();
    let stream = frame(Opcode::Text, true, RSV1, &cut);
    assert_eq!(run(UNLIMITED, true, &[&stream]).1, Some(ProtocolError::InvalidUtf8(2)));
}

/// Messages that repeat themselves, compressed or not, in fragments, with pings between; now and
/// then stray bytes.
fn stream(takeover: bool) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![any::<String>(), Just("{\"price\":101.25}".repeat(20))];
    let message = (any::<bool>(), any::<bool>(), vec(part, 1..4), 1..60usize);
    let stray = vec(any::<u8>(), 1..6);
    let stray = prop_oneof![9 => Just(Vec::new()), 1 => stray];
    (0..=9u32, vec((message, stray), 0..6)).prop_map(move |(level, items)| {
        let mut deflater = deflater(level, takeover);
        let mut out = Vec::new();
        for ((text, compressed, parts, size), stray) in items {
            let message = parts.concat().into_bytes();
            let payload =
                if compressed { deflater.deflate(&message).unwrap_or_default() } else { message };
            let first = if text { Opcode::Text } else { Opcode::Binary };
            let mut rsv = if compressed { RSV1 } else { 0 };
            let mut opcode = first;
            for piece in payload.chunks(size) {
                out.extend(frame(opcode, false, rsv, piece));
                out.extend(frame(Opcode::Ping, true, 0, b"between"));
                (opcode, rsv) = (Opcode::Continuation, 0);
            }
            out.extend(frame(opcode, true, rsv, b""));
            out.extend(stray);
        }
        out
    })
}

proptest! {
    #[test]
    fn any_chunking_yields_the_same_events(
        (takeover, stream) in any::<bool>().prop_flat_map(|t| (Just(t), stream(t))),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        limit in prop_oneof![Just(UNLIMITED), 0..1000u64],
    ) {
        let whole = run(limit, takeover, &[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&run(limit, takeover, &pieces), &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&run(limit, takeover, &bytes), &whole);
    }

    #[test]
    fn parts_add_up_to_the_same_events(
        (takeover, stream) in any::<bool>().prop_flat_map(|t| (Just(t), stream(t))),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        wants in vec(any::<Option<bool>>(), 1..40),
        limit in prop_oneof![Just(UNLIMITED), 0..1000u64],
    ) {
        let whole = run(limit, takeover, &[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&run_in_parts(limit, takeover, &pieces, &wants), &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&run_in_parts(limit, takeover, &bytes, &wants), &whole);
    }
}
