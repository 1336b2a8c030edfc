//! RFC 7692 §7.2, message by message.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const NO_LIMIT: u64 = u64::MAX >> 1;

fn inflate(inflater: &mut Inflater, pieces: &[&[u8]], limit: u64) -> Outcome {
    let mut out = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let last = number + 1 == pieces.len();
        inflater.inflate(piece, last, limit, &mut out, |_| Ok(()))?;
    }
    Ok(out)
}

type Outcome = Result<Vec<u8>, ProtocolError>;

fn hello(payload: &[u8]) -> Outcome {
    inflate(&mut Inflater::new(true), &[payload], NO_LIMIT)
}

/// The examples of §7.2.3, payload by payload.
#[test]
fn rfc_examples() -> Result<(), ProtocolError> {
    let compressed = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(hello(compressed)?, b"Hello", "one block, §7.2.3.1");
    let (head, tail) = compressed.split_at(3);
    let mut inflater = Inflater::new(true);
    assert_eq!(inflate(&mut inflater, &[head, tail], NO_LIMIT)?, b"Hello", "in fragments");
    let again = b"\xf2\x00\x11\x00\x00";
    assert_eq!(inflate(&mut inflater, &[again], NO_LIMIT)?, b"Hello", "window kept, §7.2.3.2");
    assert_eq!(hello(again), Err(ProtocolError::InvalidDeflate), "and without the window");
    assert_eq!(hello(b"\x00\x05\x00\xfa\xffHello\x00")?, b"Hello", "stored, §7.2.3.3");
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    assert_eq!(hello(last)?, b"Hello", "BFINAL, §7.2.3.4");
    let two = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    assert_eq!(hello(two)?, b"Hello", "two blocks, §7.2.3.5");
    assert_eq!(hello(b"\x00")?, b"", "empty, §7.2.3.6");
    Ok(())
}

#[test]
fn empty_and_final_blocks_leave_the_stream_in_order() -> Result<(), ProtocolError> {
    let hello: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let bfinal: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    let mut inflater = Inflater::new(true);
    for (payload, message) in [
        (b"".as_slice(), b"".as_slice()),
        (hello, b"Hello"),
        (b"", b""),
        (b"\x00", b""),
        (hello, b"Hello"),
        (bfinal, b"Hello"),
        (hello, b"Hello"),
        (&[bfinal, b"\x00"].concat(), b"Hello"),
        (&[bfinal, hello].concat(), b"HelloHello"),
        (&[bfinal, bfinal].concat(), b"HelloHello"),
        (hello, b"Hello"),
    ] {
        assert_eq!(inflate(&mut inflater, &[payload], NO_LIMIT)?, message, "{payload:x?}");
    }
    Ok(())
}

#[test]
fn what_is_not_deflate_is_refused() {
    for garbage in [b"\x07".as_slice(), b"\x00\x05\x00\x05\x00", b"\x02\x80\x00"] {
        assert_eq!(hello(garbage), Err(ProtocolError::InvalidDeflate), "{garbage:x?}");
    }
}

/// However a bomb is cut, memory ends at the limit and the verdict is the same.
#[test]
fn a_bomb_stops_at_the_limit() -> Result<(), ProtocolError> {
    let bomb = deflater(9, 15, true).deflate(&vec![0; 1 << 22]).unwrap_or_default();
    assert!(bomb.len() < 1 << 13);
    for limit in [0, 1, 1000, 1 << 20] {
        for size in [1, 7, 4096, bomb.len()] {
            let mut inflater = Inflater::new(true);
            let mut out = Vec::new();
            let error = bomb.chunks(size).find_map(|piece| {
                inflater.inflate(piece, false, limit, &mut out, |_| Ok(())).err()
            });
            assert_eq!(error, Some(ProtocolError::MessageTooBig { size: limit + 1, limit }));
            assert!(out.capacity() as u64 <= limit + 1);
        }
    }
    let all = inflate(&mut Inflater::new(true), &[&bomb], 1 << 22)?;
    assert_eq!(all.len(), 1 << 22);
    Ok(())
}

#[test]
fn nothing_is_allocated_before_it_is_needed() -> Result<(), ProtocolError> {
    let mut inflater = Inflater::new(true);
    let mut deflater = deflater(1, 15, true);
    assert!(inflater.state.is_none() && deflater.state.is_none());
    let payload = deflater.deflate(b"message").unwrap_or_default();
    inflate(&mut inflater, &[&payload], NO_LIMIT)?;
    assert!(inflater.state.is_some() && deflater.state.is_some());
    Ok(())
}

#[test]
fn without_takeover_a_thread_shares_one_state() -> Result<(), ProtocolError> {
    let mut connections: Vec<_> =
        (0..3).map(|_| (deflater(1, 15, false), Inflater::new(false))).collect();
    for turn in 0..9 {
        let (deflater, inflater) = &mut connections[turn % 3];
        let payload = deflater.deflate(b"message").unwrap_or_default();
        assert_eq!(inflate(inflater, &[&payload], NO_LIMIT)?, b"message");
        assert!(inflater.state.is_none() && deflater.state.is_none());
    }
    let spares = SPARE_DECOMPRESS.with_borrow(Option::is_some)
        && SPARE_COMPRESS.with_borrow(Option::is_some);
    assert!(spares);
    Ok(())
}

#[test]
fn windows_that_zlib_cannot_make_are_none() {
    let possible = |bits| Deflater::new(1, bits, true).is_some();
    assert_eq!(
        (0..=255).filter(|&bits| possible(bits)).collect::<Vec<_>>(),
        [9, 10, 11, 12, 13, 14, 15]
    );
    assert!(Deflater::new(10, 15, true).is_none());
}

fn deflater(level: u32, window_bits: u8, takeover: bool) -> Deflater {
    Deflater::new(level, window_bits, takeover).expect("zlib has such a window")
}

/// What repeats itself now and then, near and far.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => vec(0..4u8, 0..40),
        2 => vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0..3000usize).prop_map(|(byte, count)| vec![byte; count]),
        1 => Just(b"{\"price\":101.25,\"size\":3}".to_vec()),
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Noise, or a message of which some bits are wrong.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let broken = (message(), 0..=9u32, damage).prop_map(|(message, level, damage)| {
        let mut payload = deflater(level, 15, true).deflate(&message).unwrap_or_default();
        for (place, bits) in damage {
            let place = place.index(payload.len());
            payload[place] ^= bits;
        }
        payload
    });
    prop_oneof![vec(any::<u8>(), 0..300), broken]
}

proptest! {
    #[test]
    fn messages_round_trip(
        messages in vec(message(), 1..8),
        level in 0..=9u32,
        window_bits in 9..=15u8,
        takeover: bool,
        forgets: bool,
        size in 1..400usize,
    ) {
        let mut deflater = deflater(level, window_bits, takeover);
        let mut inflater = Inflater::new(takeover);
        for message in &messages {
            let payload = deflater.deflate(message).unwrap_or_default();
            prop_assert!(!payload.is_empty() && !payload.ends_with(&TAIL));
            let pieces: Vec<&[u8]> = payload.chunks(size).collect();
            let limit = message.len() as u64;
            prop_assert_eq!(&inflate(&mut inflater, &pieces, limit)?, message);
            if forgets {
                deflater.forget();
            }
        }
    }

    #[test]
    fn a_limit_one_byte_short_is_exceeded(
        message in message(), size in 1..400usize,
    ) {
        prop_assume!(!message.is_empty());
        let payload = deflater(6, 15, true).deflate(&message).unwrap_or_default();
        let pieces: Vec<&[u8]> = payload.chunks(size).collect();
        let limit = message.len() as u64 - 1;
        let too_big = ProtocolError::MessageTooBig { size: limit + 1, limit };
        prop_assert_eq!(inflate(&mut Inflater::new(true), &pieces, limit), Err(too_big));
    }

    #[test]
    fn damage_is_judged_alike_under_any_cut(
        payload in damaged(), size in 1..20usize, limit in 0..2000u64,
    ) {
        let whole = inflate(&mut Inflater::new(true), &[&payload], limit);
        let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
        pieces.push(&[]);
        prop_assert_eq!(inflate(&mut Inflater::new(true), &pieces, limit), whole);
    }
}
