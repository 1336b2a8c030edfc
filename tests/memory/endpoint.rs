//! An endpoint without memory.

use std::iter;
use std::time::Instant;

use wsclient::close::CloseFrame;
use wsclient::deflate::Inflater;
use wsclient::endpoint::{Due, Endpoint, Fate, Kind, Make, Phase, Settings};
use wsclient::error::ProtocolError;
use wsclient::frame::Header;
use wsclient::registry::Opcode;

use super::{Seen, append, rationed, rations, stream, sum, warm_up};

/// Makes what [`Seen`] has of a message.
#[derive(Default)]
struct Summing {
    place: Vec<u8>,
}

impl Make for Summing {
    type Content = Seen;

    fn text(&mut self, payload: &[u8]) -> Option<Seen> {
        Some((Opcode::Text, payload.len(), sum(payload)))
    }

    fn bytes(&mut self, kind: Kind, payload: &[u8]) -> Option<Seen> {
        let opcode = match kind {
            Kind::Ping => Opcode::Ping,
            Kind::Pong => Opcode::Pong,
            _ => Opcode::Binary,
        };
        Some((opcode, payload.len(), sum(payload)))
    }

    fn unmake(&self, _: &Seen, _: &mut Vec<u8>) -> Option<()> {
        None
    }

    fn close(&mut self, frame: &CloseFrame) -> Option<Seen> {
        Some((Opcode::Close, frame.reason.len(), sum(frame.reason.as_bytes())))
    }

    fn notice(&mut self) -> Seen {
        (Opcode::Continuation, 0, 0)
    }

    fn begin(&mut self, size: usize) -> bool {
        self.place.try_reserve_exact(size).is_ok()
    }

    fn append(&mut self, piece: &[u8]) {
        self.place.extend_from_slice(piece);
    }

    fn finish(&mut self) -> Seen {
        let seen = (Opcode::Binary, self.place.len(), sum(&self.place));
        self.place = Vec::new();
        seen
    }

    fn forget(&mut self) {
        self.place = Vec::new();
    }

    fn now(&mut self) -> Instant {
        Instant::now()
    }
}

/// An endpoint that keeps all, by backpressure, as the newest, or by keys.
fn endpoint(policy: u8) -> Endpoint<Seen> {
    let settings = Settings {
        autoping: policy == 0,
        autoclose: policy == 0,
        shows_close: true,
        ..Settings::default()
    };
    let mut endpoint = Endpoint::new(settings);
    endpoint.use_deflate(Inflater::new(true), None);
    if policy > 0 {
        endpoint.keep_newest(1000, policy > 1);
    }
    endpoint
}

/// Carry out what is due, and what is done between.
fn carry_out(endpoint: &mut Endpoint<Seen>, make: &mut Summing) {
    while endpoint.take_due(Due::PARSE) || endpoint.take_due(Due::KEYS) {
        endpoint.parse_held(make);
        while let Some(fresh) = endpoint.take_fresh() {
            for sized in fresh {
                if endpoint.place(sized, None, make).is_err() {
                    break;
                }
            }
            endpoint.end_asking();
        }
    }
    if !endpoint.take_frames().is_empty() {
        endpoint.pause_writing();
    }
}

/// Let a stream arrive with so many bytes of memory, then take what came of it.
fn live(endpoint: &mut Endpoint<Seen>, stream: &[u8], bytes: usize, arrived: &mut Vec<Seen>) {
    arrived.clear();
    let mut make = Summing::default();
    rationed(bytes, || {
        // It may not be remembered.
        let _ = endpoint.pinging(b"between", Instant::now(), false);
        for piece in stream.chunks(65_536) {
            endpoint.read(piece, &mut make);
            carry_out(endpoint, &mut make);
            if endpoint.is_writing_paused() {
                endpoint.resume_writing(&mut make);
            }
            carry_out(endpoint, &mut make);
        }
        while let Some(item) = endpoint.take() {
            endpoint.put_back(item, &mut make);
            arrived.extend(endpoint.take().map(|item| item.content));
            carry_out(endpoint, &mut make);
        }
        endpoint.ask();
        endpoint.close(&CloseFrame { code: Some(1000), reason: String::new() }, false, &mut make);
    });
}

/// Many small messages, and large ones between that are not compressed.
fn crowd() -> Vec<u8> {
    let mut out = Vec::new();
    for number in 0..200u8 {
        append(&mut out, true, 0, Opcode::Binary, &vec![number; 5000]);
        append(&mut out, true, 0, Opcode::Ping, &[number]);
    }
    append(&mut out, true, 0, Opcode::Binary, &vec![b'x'; 200_000]);
    append(&mut out, true, 0, Opcode::Close, b"\x03\xe8all is said");
    out
}

#[test]
fn an_endpoint_fails_or_is_right() -> Result<(), ProtocolError> {
    warm_up()?;
    for (policy, stream) in [(0, stream(true)), (0, crowd()), (1, crowd()), (2, crowd())] {
        let mut whole = Vec::with_capacity(1000);
        let mut lived = endpoint(policy);
        live(&mut lived, &stream, usize::MAX, &mut whole);
        assert_eq!(lived.close_code(), Some(1000));
        let mut arrived = Vec::with_capacity(1000);
        let mut failures = 0;
        for bytes in rations() {
            let mut lived = endpoint(policy);
            live(&mut lived, &stream, bytes, &mut arrived);
            let fate = lived.fate();
            let failed = fate == Some(&Fate::Violation(ProtocolError::OutOfMemory));
            if failed {
                // Without memory for this, only the fate says it.
                arrived.pop_if(|last| *last == Summing::default().notice());
            }
            assert!(whole.starts_with(&arrived), "with {bytes} bytes");
            // What is only the answer to the end may be missing, and then the transport is dropped.
            let answered = lived.phase() != Phase::Aborting;
            assert!(answered || failed || arrived == whole, "with {bytes} bytes");
            if answered {
                assert_eq!(arrived, whole);
                break;
            }
            failures += 1;
        }
        assert!(failures > 3, "{failures} failures");
    }
    Ok(())
}

#[test]
fn what_is_gathered_of_a_message_comes_as_a_part_or_the_connection_fails() {
    let mut failures = 0;
    for bytes in rations() {
        let (mut endpoint, mut make) = (endpoint(0), Summing::default());
        endpoint.read(b"\x01\x02ab\x00\x03cd\xe2", &mut make);
        rationed(bytes, || endpoint.want_part(true, &mut make));
        if endpoint.fate().is_none() {
            let part = endpoint.take_part().map(|item| item.content.1);
            assert_eq!(part, Some(4));
            break;
        }
        assert_eq!(endpoint.fate(), Some(&Fate::Violation(ProtocolError::OutOfMemory)));
        failures += 1;
    }
    assert!(failures > 0);
}

#[test]
fn the_end_is_answered_or_the_transport_is_dropped() {
    let mut unanswered = 0;
    for bytes in rations() {
        // Without a decompressor, whose memory would be free then.
        let mut endpoint = Endpoint::new(Settings::default());
        rationed(bytes, || endpoint.read(b"\x88\x02\x03\xe8", &mut Summing::default()));
        assert_eq!(endpoint.close_code(), Some(1000));
        let answered = !endpoint.take_frames().is_empty();
        unanswered += u32::from(!answered);
        if endpoint.phase() == Phase::Lingering {
            assert!(answered);
            break;
        }
        assert_eq!(endpoint.phase(), Phase::Aborting);
    }
    assert!(unanswered > 3, "{unanswered} have no answer");
}

#[test]
fn a_ping_is_remembered_whole_or_not_at_all() {
    let mut remembered = Vec::new();
    for bytes in (0..600).step_by(20) {
        let mut endpoint = endpoint(0);
        let noted = rationed(bytes, || endpoint.pinging(b"ping", Instant::now(), true).is_ok());
        assert_eq!(endpoint.pings().is_awaited(b"ping"), noted);
        remembered.push(noted);
    }
    assert!(remembered.is_sorted() && !remembered[0] && remembered[29]);
}

#[test]
fn no_memory_to_write_what_was_held_back() {
    let mut endpoint = endpoint(0);
    endpoint.begin_message(Opcode::Text, false);
    endpoint.read(b"\x89\x00", &mut Summing::default());
    let header = Header::new(Opcode::Binary, 100, Some([1, 2, 3, 4]));
    rationed(50, || assert!(endpoint.hold_back(&header, &[7; 100]).is_err()));
    assert!(endpoint.hold_back(&header, &[7; 100]).is_ok());
    rationed(0, || endpoint.fragment_written(0, true, &mut Summing::default()));
    assert_eq!(endpoint.phase(), Phase::Aborting);
    assert!(endpoint.take_due(Due::TURN) && !endpoint.is_in_message());
}

#[test]
fn a_round_trip_is_measured_without_memory_to_count_it() {
    let mut endpoint = endpoint(0);
    for number in 0..20 {
        assert!(endpoint.pinging(&[number], Instant::now(), true).is_ok());
    }
    assert!(endpoint.pinging(b"", Instant::now(), false).is_ok());
    rationed(0, || endpoint.read(b"\x8a\x01\x09\x8a\x00", &mut Summing::default()));
    assert_eq!(std::iter::from_fn(|| endpoint.take_round_trip()).count(), 20);
    assert!(endpoint.pings().latency().is_some());
    assert_eq!(endpoint.pings().ranges().count(), 0);
}

#[test]
fn what_cannot_be_kept_fails_the_connection() {
    let mut make = Summing::default();
    let failures: [fn(&mut Endpoint<Seen>, &mut Summing); 2] = [
        |endpoint, make| {
            endpoint.pause_writing();
            rationed(0, || endpoint.read(b"\x89\x01?", make));
        },
        |endpoint, make| {
            endpoint.read(&b"\x82\x00".repeat(100), make);
            let item = iter::from_fn(|| endpoint.take()).last();
            rationed(0, || item.map(|item| endpoint.put_back(item, make)));
        },
    ];
    for fail in failures {
        let mut endpoint = endpoint(0);
        fail(&mut endpoint, &mut make);
        assert_eq!(endpoint.fate(), Some(&Fate::Violation(ProtocolError::OutOfMemory)));
        assert_eq!(endpoint.phase(), Phase::Aborting);
    }
}
