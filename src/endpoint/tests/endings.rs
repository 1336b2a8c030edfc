//! Each phase, and what each event does in it: what is due, and what is written.

use super::*;

const CLOSED: &[u8] = b"\x88\x02\x03\xe9"; // 1001
const MESSAGE: &[u8] = b"\x82\x01x";

fn manual() -> Tested {
    Endpoint::new(Settings { autoclose: false, ..Settings::default() })
}

fn read(endpoint: &mut Tested, input: &[u8]) {
    endpoint.read(input, &mut Bytes::default());
}

fn close(endpoint: &mut Tested) -> bool {
    let frame = CloseFrame { code: Some(1000), reason: String::new() };
    endpoint.close(&frame, false, &mut Bytes::default())
}

/// An endpoint for each phase, with nothing due.
fn in_phase(phase: Phase) -> Tested {
    let mut endpoint = if phase == Phase::Unanswered { manual() } else { open() };
    match phase {
        Phase::Open => {}
        Phase::Severed => endpoint.sever(),
        Phase::Answering => read(&mut endpoint, b"\x82\x01x\x88\x02\x03\xe9"),
        Phase::Closing => drop(close(&mut endpoint)),
        Phase::Unanswered | Phase::Lingering => read(&mut endpoint, CLOSED),
        Phase::Aborting => endpoint.abort(),
        Phase::Gone => drop(endpoint.lose(&mut Bytes::default())),
    }
    assert_eq!(endpoint.phase(), phase);
    endpoint.take_frames();
    take_due(&mut endpoint);
    endpoint
}

/// What an event leads to: the phase, what is due, and which close frame is written.
type Outcome = (Phase, Due, Option<u16>);

fn outcome(phase: Phase, event: impl FnOnce(&mut Tested)) -> Outcome {
    let mut endpoint = in_phase(phase);
    event(&mut endpoint);
    let due = take_due(&mut endpoint);
    let frames = written(&mut endpoint);
    let code = frames.first().map(|(opcode, payload)| {
        assert_eq!((*opcode, frames.len()), (Opcode::Close, 1));
        u16::from_be_bytes([payload[0], payload[1]])
    });
    assert_eq!(code.is_some(), due.has(Due::WRITE));
    (endpoint.phase(), due, code)
}

const NOTHING: Due = Due::NOTHING;
const TIMER: Due = Due::TIMER;
const ABORT: Due = Due::ABORT;
const SENDS: Due = Due::TIMER.and(Due::WRITE);
const GONE: Due = Due::GONE.and(Due::ROOM).and(Due::WAKE);

#[test]
fn the_peer_closes() {
    let closes = |endpoint: &mut Tested| read(endpoint, CLOSED);
    for (phase, expected) in [
        (Phase::Open, (Phase::Lingering, SENDS, Some(1001))),
        (Phase::Severed, (Phase::Lingering, SENDS, Some(1001))),
        (Phase::Answering, (Phase::Answering, NOTHING, None)),
        (Phase::Unanswered, (Phase::Unanswered, NOTHING, None)),
        (Phase::Closing, (Phase::Lingering, TIMER, None)),
        (Phase::Lingering, (Phase::Lingering, NOTHING, None)),
        (Phase::Aborting, (Phase::Aborting, Due::WRITE, Some(1001))),
    ] {
        assert_eq!(outcome(phase, closes), expected, "{phase:?}");
    }
}

#[test]
fn the_peer_breaks_the_protocol() {
    let errs = |endpoint: &mut Tested| read(endpoint, b"\x83\x00");
    for (phase, expected) in [
        (Phase::Open, (Phase::Lingering, SENDS.and(Due::WAKE), Some(1002))),
        (Phase::Severed, (Phase::Lingering, SENDS.and(Due::WAKE), Some(1002))),
        (Phase::Answering, (Phase::Answering, NOTHING, None)),
        (Phase::Unanswered, (Phase::Unanswered, NOTHING, None)),
        (Phase::Closing, (Phase::Lingering, TIMER, None)),
        (Phase::Lingering, (Phase::Lingering, NOTHING, None)),
    ] {
        assert_eq!(outcome(phase, errs), expected, "{phase:?}");
    }
}

#[test]
fn this_side_closes() {
    for (phase, expected) in [
        (Phase::Open, (Phase::Closing, Due::WRITE, Some(1000))),
        (Phase::Severed, (Phase::Closing, Due::WRITE, Some(1000))),
        (Phase::Answering, (Phase::Lingering, SENDS, Some(1001))),
        (Phase::Unanswered, (Phase::Lingering, SENDS, Some(1000))),
        (Phase::Closing, (Phase::Closing, NOTHING, None)),
        (Phase::Lingering, (Phase::Lingering, NOTHING, None)),
        (Phase::Gone, (Phase::Gone, NOTHING, None)),
    ] {
        let sends = |endpoint: &mut Tested| assert_eq!(close(endpoint), expected.2 == Some(1000));
        assert_eq!(outcome(phase, sends), expected, "{phase:?}");
    }
}

#[test]
fn the_peer_leaves() {
    for (phase, expected) in [
        (Phase::Open, (Phase::Lingering, TIMER, None)),
        (Phase::Severed, (Phase::Lingering, TIMER, None)),
        (Phase::Answering, (Phase::Lingering, SENDS, Some(1001))),
        (Phase::Unanswered, (Phase::Lingering, TIMER, None)),
        (Phase::Closing, (Phase::Lingering, TIMER, None)),
        (Phase::Lingering, (Phase::Lingering, NOTHING, None)),
        (Phase::Aborting, (Phase::Aborting, NOTHING, None)),
    ] {
        assert_eq!(outcome(phase, Tested::end_of_file), expected, "{phase:?}");
    }
}

#[test]
fn each_step_of_an_ending_has_its_own_time() {
    for (phase, expected) in [
        (Phase::Open, (Phase::Open, NOTHING, None)),
        // The answer is to leave before the transport is dropped.
        (Phase::Answering, (Phase::Lingering, SENDS, Some(1001))),
        (Phase::Closing, (Phase::Aborting, ABORT, None)),
        (Phase::Lingering, (Phase::Aborting, ABORT, None)),
        (Phase::Aborting, (Phase::Aborting, NOTHING, None)),
        (Phase::Gone, (Phase::Gone, NOTHING, None)),
    ] {
        assert_eq!(outcome(phase, Tested::expired), expected, "{phase:?}");
    }
}

#[test]
fn this_side_drops_the_connection() {
    for phase in [
        Phase::Open,
        Phase::Severed,
        Phase::Answering,
        Phase::Unanswered,
        Phase::Closing,
        Phase::Lingering,
    ] {
        assert_eq!(outcome(phase, Tested::abort), (Phase::Aborting, ABORT, None), "{phase:?}");
    }
    assert_eq!(outcome(Phase::Aborting, Tested::abort), (Phase::Aborting, NOTHING, None));
    assert_eq!(outcome(Phase::Gone, Tested::abort), (Phase::Gone, NOTHING, None));
}

#[test]
fn the_transport_is_lost() {
    for (phase, ours) in [
        (Phase::Open, false),
        (Phase::Severed, false),
        (Phase::Answering, false),
        (Phase::Unanswered, false),
        (Phase::Closing, false),
        (Phase::Lingering, false),
        (Phase::Aborting, true),
    ] {
        let loses = |endpoint: &mut Tested| {
            assert_eq!(endpoint.lose(&mut Bytes::default()), ours);
        };
        assert_eq!(outcome(phase, loses), (Phase::Gone, GONE, None), "{phase:?}");
    }
}

#[test]
fn the_transport_writes_nothing_more() {
    for (phase, expected) in [
        (Phase::Open, (Phase::Severed, NOTHING, None)),
        (Phase::Answering, (Phase::Lingering, TIMER, None)),
        (Phase::Unanswered, (Phase::Unanswered, NOTHING, None)),
        (Phase::Closing, (Phase::Closing, NOTHING, None)),
    ] {
        assert_eq!(outcome(phase, Tested::sever), expected, "{phase:?}");
    }
    // What cannot be written is not answered later.
    let mut endpoint = in_phase(Phase::Answering);
    endpoint.sever();
    assert_eq!(kinds(&mut endpoint), [Kind::Binary]);
    assert_eq!(written(&mut endpoint), []);
}

#[test]
fn what_went_wrong_here_drops_the_connection() {
    let mut endpoint = in_phase(Phase::Open);
    read(&mut endpoint, MESSAGE);
    endpoint.fail_now("late".to_owned(), &mut Bytes::default());
    assert_eq!(endpoint.phase(), Phase::Aborting);
    assert_eq!(endpoint.fate(), Some(&Fate::GivenUp("late".to_owned())));
    assert_eq!(endpoint.close_code(), Some(1006));
    read(&mut endpoint, MESSAGE);
    assert!(endpoint.lose(&mut Bytes::default()));
    assert_eq!(kinds(&mut endpoint), [Kind::Binary, Kind::Error]);
}

#[test]
fn without_memory_for_a_message_the_connection_fails() {
    let mut none = Bytes { exhausted: true, ..Bytes::default() };
    let opcodes = [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Pong, Opcode::Close];
    for opcode in opcodes {
        let settings = Settings { autoclose: false, autoping: false, ..Settings::default() };
        let mut endpoint = Tested::new(settings);
        endpoint.read(&said(opcode, b""), &mut none);
        assert_eq!(endpoint.phase(), Phase::Aborting);
        assert_eq!(kinds(&mut endpoint), [Kind::Error]);
        assert_eq!(endpoint.close_code(), Some(1006));
    }
}

#[test]
fn in_aiohttps_order_the_end_is_told_when_it_is_taken() {
    for autoclose in [true, false] {
        let settings = Settings { autoclose, shows_close: true, ..Settings::default() };
        let mut endpoint = Tested::new(settings);
        read(&mut endpoint, MESSAGE);
        read(&mut endpoint, &said(Opcode::Close, b"\x0f\xa1"));
        for _ in 0..2 {
            assert!(endpoint.is_open() && !endpoint.is_closed());
            assert_eq!(endpoint.close_code(), None);
            if endpoint.take().is_some_and(|item| item.kind == Kind::Close) {
                break;
            }
        }
        assert_eq!(endpoint.close_code(), Some(4001));
        // Without autoclose, the next who wants a message closes it.
        assert_eq!((endpoint.is_open(), endpoint.is_closed()), (!autoclose, autoclose));
        endpoint.ask();
        assert!(!endpoint.is_open() && endpoint.is_closed());
    }
    let mut endpoint = Tested::new(Settings { shows_close: true, ..Settings::default() });
    endpoint.lose(&mut Bytes::default());
    assert_eq!((endpoint.is_closed(), endpoint.close_code()), (false, None));
    assert!(endpoint.take().is_none());
    assert_eq!((endpoint.is_closed(), endpoint.close_code()), (true, Some(1006)));
    let mut endpoint = Tested::new(Settings { shows_close: true, ..Settings::default() });
    endpoint.fail_now("late".to_owned(), &mut Bytes::default());
    assert_eq!((endpoint.is_closed(), endpoint.close_code()), (true, Some(1006)));
}

#[test]
fn the_close_frame_is_shown_to_whom_it_concerns() {
    for (autoclose, shows_close, expected) in [
        (true, false, vec![]),
        (true, true, vec![Kind::Close]),
        (false, false, vec![Kind::Close]),
        (false, true, vec![Kind::Close]),
    ] {
        let settings = Settings { autoclose, shows_close, ..Settings::default() };
        let mut endpoint = Tested::new(settings);
        read(&mut endpoint, CLOSED);
        assert_eq!(kinds(&mut endpoint), expected);
        assert_eq!(endpoint.close_code(), Some(1001));
        // Nobody is told who closes.
        let mut endpoint = Tested::new(settings);
        assert!(!endpoint.is_closed() && !endpoint.is_ending());
        assert!(close(&mut endpoint));
        assert!(endpoint.is_closed() && endpoint.is_ending());
        read(&mut endpoint, CLOSED);
        assert_eq!(kinds(&mut endpoint), []);
        assert_eq!((endpoint.close_code(), endpoint.is_called()), (Some(1001), true));
    }
}

#[test]
fn who_wants_more_after_the_close_frame_answers_it() {
    let settings = Settings { autoclose: false, shows_close: true, ..Settings::default() };
    let mut endpoint = Tested::new(settings);
    read(&mut endpoint, CLOSED);
    assert!(!endpoint.wants_asking());
    endpoint.ask();
    assert_eq!(endpoint.phase(), Phase::Unanswered);
    assert_eq!(endpoint.take().map(|item| item.kind), Some(Kind::Close));
    assert!(endpoint.wants_asking() && !endpoint.is_closed() && !endpoint.is_ending());
    endpoint.ask();
    assert_eq!(written(&mut endpoint), [closing(1000)]);
    assert!(endpoint.is_closed() && endpoint.is_ending());
}

#[test]
fn who_wants_more_than_all_has_the_end_answered() {
    let mut endpoint = in_phase(Phase::Answering);
    assert!(endpoint.is_open() && !endpoint.is_alive() && endpoint.is_ending());
    assert!(queued(&mut endpoint, None).len() == 1 && endpoint.wants_asking());
    endpoint.ask();
    assert_eq!(written(&mut endpoint), [closing(1001)]);
    assert!(!endpoint.is_open() && endpoint.is_closed());
}

#[test]
fn who_waits_is_told_that_this_side_closes() {
    let frame = CloseFrame::default();
    for (message, waits, expected) in [
        (false, true, vec![Kind::Closing]),
        (false, false, vec![]),
        (true, true, vec![Kind::Binary]),
    ] {
        let mut endpoint = open();
        if message {
            read(&mut endpoint, MESSAGE);
        }
        assert!(endpoint.close(&frame, waits, &mut Bytes::default()));
        assert_eq!(kinds(&mut endpoint), expected);
        assert_eq!(written(&mut endpoint), [(Opcode::Close, vec![])]);
    }
}

#[test]
fn who_waits_is_told_that_this_side_is_going_to_close() {
    let mut endpoint = open();
    endpoint.announce_close(&mut Bytes::default());
    assert_eq!(take_due(&mut endpoint), Due::WAKE);
    assert_eq!(kinds(&mut endpoint), [Kind::Closing]);
    assert!(endpoint.is_open() && endpoint.is_alive() && !endpoint.is_closed());
    assert_eq!(written(&mut endpoint), []);
}

#[test]
fn whoever_wants_what_nobody_wants_any_more_is_told_of_the_end() {
    let mut endpoint = Tested::new(Settings { shows_close: true, ..Settings::default() });
    read(&mut endpoint, b"\x82\x01x\x82\x01y");
    assert_eq!((endpoint.waiting(), endpoint.tells_end()), (2, false));
    endpoint.take();
    assert!(close(&mut endpoint));
    take_due(&mut endpoint);
    endpoint.dismiss();
    assert_eq!(take_due(&mut endpoint), Due::WAKE);
    assert_eq!((endpoint.waiting(), endpoint.first()), (0, None));
    assert!(endpoint.has_message() && endpoint.tells_end() && endpoint.is_closed());
    assert_eq!((kinds(&mut endpoint), endpoint.phase()), (vec![], Phase::Closing));
}

#[test]
fn what_is_next_can_be_seen() {
    let mut endpoint = open();
    assert_eq!((endpoint.first(), endpoint.waiting()), (None, 0));
    read(&mut endpoint, b"\x82\x01x\x81\x02yz");
    let first = Item { kind: Kind::Binary, content: b"x".to_vec() };
    assert_eq!((endpoint.first(), endpoint.waiting()), (Some((&first, 1)), 2));
    endpoint.take();
    let second = Item { kind: Kind::Text, content: b"yz".to_vec() };
    assert_eq!((endpoint.first(), endpoint.waiting()), (Some((&second, 2)), 1));
}

#[test]
fn the_end_that_arrived_before_the_transport_was_lost_is_told() {
    let mut endpoint = full();
    endpoint.read(b"\x89\x01?\x88\x02\x03\xe9", &mut Bytes::default());
    endpoint.lose(&mut Bytes::default());
    assert_eq!((endpoint.close_code(), endpoint.is_closed()), (Some(1006), false));
    while endpoint.take().is_some() {
        if endpoint.take_due(Due::PARSE) {
            endpoint.parse_held(&mut Bytes::default());
        }
    }
    assert_eq!((endpoint.close_code(), endpoint.is_closed()), (Some(1001), true));
    // No pong and no answer, as nobody would get them.
    assert_eq!(written(&mut endpoint), []);
}

#[test]
fn a_large_message_is_lost_with_the_transport() {
    let mut make = Bytes { places: true, ..Bytes::default() };
    let mut endpoint = open();
    endpoint.read(&large()[..50_000], &mut make);
    assert!(endpoint.is_gathering() && !make.place.is_empty());
    endpoint.lose(&mut make);
    assert!(!endpoint.is_gathering() && make.place.is_empty() && !endpoint.is_reading());
    // What comes all the same is for nobody.
    endpoint.gathered(20_010, &mut make);
    assert_eq!(kinds(&mut endpoint), []);
}

#[test]
fn a_large_message_that_ends_after_this_side_closes_is_for_nobody() {
    let mut make = Bytes { places: true, ..Bytes::default() };
    let mut endpoint = open();
    let message = large();
    endpoint.read(&message[..50_000], &mut make);
    assert!(close(&mut endpoint));
    endpoint.read(&message[50_000..], &mut make);
    assert!(!endpoint.is_gathering());
    assert_eq!((kinds(&mut endpoint), endpoint.dropped()), (vec![], 0));
}

#[test]
fn a_large_message_does_not_begin_when_the_transport_is_gone() {
    let mut make = Bytes { places: true, ..Bytes::default() };
    let mut endpoint = full();
    endpoint.read(&large()[..50_000], &mut make);
    endpoint.lose(&mut make);
    while endpoint.take().is_some() {
        if endpoint.take_due(Due::PARSE) {
            endpoint.parse_held(&mut make);
        }
    }
    assert!(!endpoint.is_gathering() && endpoint.is_closed());
}
