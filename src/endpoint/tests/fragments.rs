//! A message that is sent in fragments, and what waits for its end.

use super::*;
use crate::frame::Header;
use crate::utf8::InvalidUtf8;

/// Send a fragment, as whoever does the I/O; returns the opcode of its frame.
fn fragment(endpoint: &mut Tested, payload: &[u8], fin: bool) -> Option<Opcode> {
    let opcode = endpoint.permit_fragment(payload, fin).unwrap()?;
    endpoint.fragment_written(payload.len(), fin, &mut Bytes::default());
    Some(opcode)
}

/// Send a message, which is to be held back.
fn hold(endpoint: &mut Tested, payload: &[u8]) {
    assert!(endpoint.permit(Opcode::Binary, payload.len()) && endpoint.holds(Opcode::Binary));
    let header = Header::new(Opcode::Binary, payload.len(), Some([1, 2, 3, 4]));
    endpoint.hold_back(&header, payload).unwrap();
}

/// An endpoint that has sent a fragment, and holds a message back.
fn in_message() -> Tested {
    let mut endpoint = open();
    endpoint.begin_message(Opcode::Text, false);
    assert_eq!(fragment(&mut endpoint, b"a", false), Some(Opcode::Text));
    hold(&mut endpoint, b"held");
    endpoint
}

#[test]
fn only_control_frames_go_between_fragments() {
    let mut endpoint = open();
    for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping] {
        assert!(!endpoint.holds(opcode));
    }
    endpoint.begin_message(Opcode::Binary, false);
    assert!(endpoint.is_in_message());
    assert!(endpoint.holds(Opcode::Text) && endpoint.holds(Opcode::Binary));
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close, Opcode::Continuation] {
        assert!(!endpoint.holds(opcode));
    }
}

#[test]
fn the_first_fragment_says_what_the_message_is() {
    let mut endpoint = open();
    endpoint.begin_message(Opcode::Binary, false);
    assert_eq!(fragment(&mut endpoint, b"\xff", false), Some(Opcode::Binary));
    assert_eq!(fragment(&mut endpoint, b"bc", false), Some(Opcode::Continuation));
    assert_eq!(fragment(&mut endpoint, b"", true), Some(Opcode::Continuation));
    assert_eq!(take_due(&mut endpoint), Due::TURN);
    assert_eq!(fragment(&mut endpoint, b"d", false), None);
    // Messages, bytes and frames sent.
    assert_eq!(endpoint.row()[6..9], [1, 3, 3]);
}

#[test]
fn what_was_held_back_follows() {
    let mut endpoint = in_message();
    hold(&mut endpoint, b"two");
    assert_eq!(endpoint.held_back(), 10 + 9);
    endpoint.read(b"\x89\x01?", &mut Bytes::default());
    fragment(&mut endpoint, b"", true);
    assert_eq!(endpoint.due(), Due::TURN.and(Due::WRITE));
    assert_eq!(endpoint.held_back(), 0);
    let message = |payload: &[u8]| (Opcode::Binary, payload.to_vec());
    let expected = [message(b"held"), message(b"two"), (Opcode::Pong, b"?".to_vec())];
    assert_eq!(written(&mut endpoint), expected);
}

#[test]
fn text_is_checked_over_its_fragments() {
    let text = |pieces: &[&[u8]]| {
        let mut endpoint = open();
        endpoint.begin_message(Opcode::Text, true);
        let mut rest = pieces.iter().map(|piece| endpoint.permit_fragment(piece, false).map(drop));
        rest.find(Result::is_err).unwrap_or(Ok(()))?;
        endpoint.permit_fragment(b"", true)
    };
    assert_eq!(text(&[b"a\xe2", b"\x82", b"\xac"]), Ok(Some(Opcode::Text)));
    assert_eq!(text(&[b"a\xe2", b"\x82\xff"]), Err(InvalidUtf8(1)));
    assert_eq!(text(&[b"a\xe2"]), Err(InvalidUtf8(1)));
}

#[test]
fn a_message_that_has_not_begun_can_be_given_up() {
    let mut endpoint = open();
    endpoint.break_off(false, &mut Bytes::default());
    assert_eq!(endpoint.due(), Due::NOTHING);
    endpoint.begin_message(Opcode::Text, false);
    hold(&mut endpoint, b"held");
    endpoint.break_off(false, &mut Bytes::default());
    assert_eq!((endpoint.phase(), endpoint.is_in_message()), (Phase::Open, false));
    assert_eq!(endpoint.due(), Due::TURN.and(Due::WRITE));
    assert_eq!(written(&mut endpoint), [(Opcode::Binary, b"held".to_vec())]);
}

#[test]
fn one_that_has_begun_ends_the_connection() {
    let mut endpoint = in_message();
    endpoint.break_off(true, &mut Bytes::default());
    assert_eq!(endpoint.phase(), Phase::Closing);
    assert!(endpoint.take_due(Due::TURN.and(Due::TIMER).and(Due::WAKE)));
    let (opcode, payload) = written(&mut endpoint).pop().unwrap();
    assert_eq!((opcode, &payload[..2]), (Opcode::Close, &1011u16.to_be_bytes()[..]));
    assert_eq!(kinds(&mut endpoint), [Kind::Closing]);
    // The peer answers nothing.
    endpoint.expired();
    assert_eq!((endpoint.phase(), take_due(&mut endpoint)), (Phase::Aborting, Due::ABORT));
}

#[test]
fn nothing_is_held_back_beyond_the_end() {
    type End = fn(&mut Tested);
    let ends: [End; 5] = [
        |endpoint| {
            endpoint.close(&CloseFrame::default(), false, &mut Bytes::default());
        },
        |endpoint| endpoint.read(b"\x88\x00", &mut Bytes::default()),
        Tested::sever,
        Tested::abort,
        |endpoint| {
            endpoint.lose(&mut Bytes::default());
        },
    ];
    for end in ends {
        let mut endpoint = in_message();
        end(&mut endpoint);
        assert!(endpoint.take_due(Due::TURN));
        assert_eq!((endpoint.held_back(), endpoint.is_in_message()), (0, false));
        assert_eq!(fragment(&mut endpoint, b"", true), None);
        assert!(!written(&mut endpoint).contains(&(Opcode::Binary, b"held".to_vec())));
        // It may have been in the hands of the transport.
        endpoint.fragment_written(0, true, &mut Bytes::default());
        endpoint.fragment_written(0, false, &mut Bytes::default());
        assert!(!endpoint.due().has(Due::TURN));
    }
}
