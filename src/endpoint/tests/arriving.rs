//! What arrives, and how much of it is kept.

use super::*;
use crate::deflate::{Deflater, Inflater, RSV1};

/// A frame of a compressed message of so many zeros.
fn deflated(deflater: &mut Deflater, size: usize) -> Vec<u8> {
    let payload = deflater.deflate(&vec![0; size]).unwrap();
    let header = Header { rsv: RSV1, ..Header::new(Opcode::Binary, payload.len(), None) };
    let mut out = Vec::new();
    frame::append_frame(&header, &payload, &mut out);
    out
}

/// More than is kept at the end, in a few bytes; then a ping, and the beginning of another message.
fn too_much() -> Vec<u8> {
    let mut deflater = Deflater::new(1, 15, false).unwrap();
    let mut out = Vec::new();
    for size in [12 << 20, 12 << 20, 1 << 20] {
        out.extend(deflated(&mut deflater, size));
    }
    out.extend_from_slice(b"\x89\x00");
    out.extend_from_slice(&large()[..10]);
    out
}

#[test]
fn a_control_frame_counts_when_all_of_it_has_been_parsed() {
    let mut endpoint = open();
    endpoint.bound_messages(2, 1);
    let ping = said(Opcode::Ping, b"here");
    arrive(&mut endpoint, 1);
    arrive(&mut endpoint, 2);
    endpoint.read(&ping[..2], &mut Bytes::default());
    let first = endpoint.take().unwrap();
    parse(&mut endpoint);
    assert_eq!(endpoint.row()[3], 0, "only its header has come");
    assert!(endpoint.put_back(first, &mut Bytes::default()));
    endpoint.read(&ping[2..], &mut Bytes::default());
    assert_eq!((endpoint.row()[3], written(&mut endpoint)), (0, vec![]), "its rest is held back");
    endpoint.take();
    parse(&mut endpoint);
    assert_eq!(endpoint.row()[3], 1);
    assert_eq!(written(&mut endpoint)[0], (Opcode::Pong, b"here".to_vec()));
}

#[test]
fn a_full_inbox_pauses_reading_until_it_is_low() {
    let mut endpoint = full();
    assert_eq!(endpoint.take_reading(), Some(true));
    assert_eq!((endpoint.take_reading(), take_due(&mut endpoint)), (None, Due::WAKE));
    assert!(endpoint.is_reading_paused() && endpoint.is_ready() && !endpoint.is_empty());
    let row = endpoint.row();
    let waited = inbox::HIGH_WATER as u64 + 1 + 2 * 64;
    assert_eq!((row[0], row[12], row[13]), (2, 1, waited));
    // A read that was under way.
    arrive(&mut endpoint, 3);
    assert_eq!(endpoint.due(), Due::NOTHING);
    assert_eq!(endpoint.take().map(|item| item.content.len()), Some(inbox::HIGH_WATER));
    assert_eq!(endpoint.due(), Due::PARSE);
    parse(&mut endpoint);
    assert_eq!(take_due(&mut endpoint), Due::WAKE.and(Due::READING));
    endpoint.owe_thing(Due::READING);
    assert_eq!(endpoint.take_reading(), Some(false));
    let sizes = std::iter::from_fn(|| endpoint.take()).map(|item| item.content.len());
    assert_eq!(sizes.collect::<Vec<_>>(), [1, 2, 3]);
    assert!(!endpoint.is_ready());
}

#[test]
fn a_transport_that_could_not_be_told_is_told_again() {
    let mut endpoint = full();
    for _ in 0..2 {
        assert_eq!((endpoint.take_reading(), endpoint.row()[12]), (Some(true), 1));
        endpoint.reading_untold();
        assert_eq!(endpoint.row()[12], 0);
    }
    endpoint.take();
    parse(&mut endpoint);
    // It has never paused.
    assert_eq!((endpoint.take_reading(), endpoint.due().has(Due::READING)), (None, false));
}

#[test]
fn a_batch_of_one_kind_ends_before_another() {
    let mut endpoint = open();
    endpoint.bound_messages(3, 0);
    endpoint.read(b"\x81\x01a\x81\x01b\x82\x00\x82\x00", &mut Bytes::default());
    assert!(endpoint.has_queued(Some(Kind::Text)) && !endpoint.has_queued(Some(Kind::Binary)));
    assert_eq!(queued(&mut endpoint, Some(Kind::Text)), [&b"a"[..], b"b"]);
    // Bytes are held back, but there is no room for them yet.
    assert!(queued(&mut endpoint, Some(Kind::Text)).is_empty());
    assert!(endpoint.has_queued(None) && !endpoint.due().has(Due::PARSE));
    assert_eq!(queued(&mut endpoint, Some(Kind::Binary)).len(), 1);
    assert!(endpoint.due().has(Due::PARSE), "now there is");
    parse(&mut endpoint);
    assert_eq!(kinds(&mut endpoint), [Kind::Binary]);
    assert!(queued(&mut endpoint, Some(Kind::Binary)).is_empty() && !endpoint.has_queued(None));
}

#[test]
fn so_many_messages_pause_reading_until_so_many_are_left() {
    for (high, low) in [(1, 0), (4, 1), (4, 3)] {
        let mut endpoint = open();
        endpoint.bound_messages(high, low);
        endpoint.read(&b"\x82\x00".repeat(10), &mut Bytes::default());
        assert_eq!(endpoint.items().count(), high);
        assert_eq!(endpoint.take_reading(), Some(true));
        for left in (low..high).rev() {
            assert!(!endpoint.due().has(Due::PARSE));
            assert!(endpoint.take().is_some());
            assert_eq!(endpoint.items().count(), left);
        }
        parse(&mut endpoint);
        assert_eq!(endpoint.items().count(), high);
        let mut count = 10 - high + low;
        while endpoint.take().is_some() {
            parse(&mut endpoint);
            count -= 1;
        }
        assert_eq!((count, endpoint.take_reading()), (0, Some(false)));
    }
}

#[test]
fn bytes_bound_what_a_number_of_messages_bounds() {
    let mut endpoint = open();
    endpoint.bound_messages(100, 50);
    for _ in 0..4 {
        arrive(&mut endpoint, inbox::HIGH_WATER / 2);
    }
    assert_eq!((endpoint.items().count(), endpoint.is_reading_paused()), (2, true));
    assert!(endpoint.take().is_some() && endpoint.due().has(Due::PARSE));
}

#[test]
fn one_message_never_fills_the_inbox() {
    let mut endpoint = open();
    arrive(&mut endpoint, 2 * inbox::HIGH_WATER);
    arrive(&mut endpoint, 1);
    assert!(!endpoint.is_reading_paused());
}

#[test]
fn one_message_that_is_left_lets_reading_go_on() {
    let mut endpoint = open();
    for size in [300_000, 300_000, 1] {
        arrive(&mut endpoint, size);
    }
    take_due(&mut endpoint);
    assert!(endpoint.is_reading_paused() && endpoint.take().is_some());
    assert_eq!(endpoint.due(), Due::PARSE);
}

#[test]
fn what_was_held_back_fills_the_inbox_again() {
    let mut endpoint = full();
    for _ in 0..2 {
        arrive(&mut endpoint, inbox::HIGH_WATER);
    }
    assert!(endpoint.take().is_some());
    parse(&mut endpoint);
    assert!(endpoint.is_reading_paused());
    let mut sizes = Vec::new();
    while let Some(item) = endpoint.take() {
        sizes.push(item.content.len());
        parse(&mut endpoint);
    }
    assert_eq!(sizes, [1, 2, inbox::HIGH_WATER, inbox::HIGH_WATER]);
    assert!(!endpoint.is_reading_paused());
}

#[test]
fn the_user_pauses_reading_and_nothing_is_held_back_for_that() {
    let mut endpoint = open();
    endpoint.pause_reading(true);
    assert_eq!(endpoint.take_reading(), Some(true));
    arrive(&mut endpoint, 1);
    assert!(endpoint.has_message() && endpoint.is_reading_paused());
    endpoint.pause_reading(false);
    assert_eq!(endpoint.take_reading(), Some(false));
}

#[test]
fn reading_goes_on_to_the_end_whatever_had_paused_it() {
    let mut endpoint = full();
    endpoint.pause_reading(true);
    assert_eq!(endpoint.take_reading(), Some(true));
    endpoint.end_of_file();
    assert_eq!(endpoint.take_reading(), Some(false));
    assert!(endpoint.due().has(Due::PARSE));
    parse(&mut endpoint);
    endpoint.pause_reading(true);
    assert_eq!((endpoint.take_reading(), endpoint.is_reading_paused()), (None, false));
    assert_eq!(kinds(&mut endpoint).len(), 3);
}

#[test]
fn a_transport_that_comes_paused_is_let_go() {
    let mut endpoint = open();
    endpoint.begin_paused();
    assert_eq!(endpoint.take_reading(), Some(false));
}

#[test]
fn a_transport_that_is_gone_is_told_nothing() {
    let mut endpoint = full();
    endpoint.lose(&mut Bytes::default());
    assert!(endpoint.due().has(Due::READING));
    assert_eq!(endpoint.take_reading(), None);
}

#[test]
fn what_comes_after_too_much_is_counted_if_it_comes_whole() {
    let mut endpoint = full();
    endpoint.use_deflate(Inflater::new(false), None);
    endpoint.read(&too_much(), &mut Bytes::default());
    endpoint.end_of_file();
    parse(&mut endpoint);
    assert_eq!(endpoint.dropped(), 1);
    assert_eq!(written(&mut endpoint), []);
    let sizes = std::iter::from_fn(|| endpoint.take()).map(|item| item.content.len());
    let expected = [inbox::HIGH_WATER, 1, 2, 12 << 20, 12 << 20];
    assert_eq!(sizes.collect::<Vec<_>>(), expected);
}

#[test]
fn what_waits_for_its_key_is_bounded_at_the_end_too() {
    let mut endpoint = Tested::new(Settings { autoping: false, ..Settings::default() });
    endpoint.use_deflate(Inflater::new(false), None);
    endpoint.keep_newest(1, true);
    // Pings are not dropped, so these pause reading.
    endpoint.read(&b"\x89\x00".repeat(1025), &mut Bytes::default());
    while let Some(fresh) = endpoint.take_fresh() {
        for sized in fresh {
            endpoint.place(sized, None, &mut Bytes::default()).unwrap();
        }
        endpoint.end_asking();
    }
    endpoint.read(&too_much(), &mut Bytes::default());
    assert!(endpoint.is_reading_paused());
    endpoint.end_of_file();
    parse(&mut endpoint);
    assert_eq!((endpoint.take_fresh().map(|fresh| fresh.len()), endpoint.dropped()), (Some(2), 1));
}

#[test]
fn a_large_message_goes_to_its_place() {
    let mut make = Bytes { places: true, ..Bytes::default() };
    let mut endpoint = open();
    let message = large();
    endpoint.read(&message[..20_000], &mut make);
    endpoint.read(&message[20_000..60_000], &mut make);
    make.append(&message[60_000..]);
    endpoint.gathered(10_010, &mut make);
    assert!(!endpoint.is_gathering());
    assert_eq!(endpoint.take().map(|item| item.content), Some(vec![7; 70_000]));
}

#[test]
fn a_pong_answers_its_ping() {
    let mut endpoint = open();
    let mut make = Bytes::default();
    let start = make.now();
    for number in 0..17u8 {
        endpoint.pinging(&[number], start, false).unwrap();
    }
    make.now = Some(start + Duration::from_millis(100));
    // The first is remembered no more.
    endpoint.read(&said(Opcode::Pong, &[0]), &mut make);
    assert_eq!(endpoint.pings().latency(), None);
    endpoint.read(&said(Opcode::Pong, &[5]), &mut make);
    endpoint.read(&said(Opcode::Pong, &[3]), &mut make);
    make.now = Some(start + Duration::from_millis(300));
    endpoint.read(&said(Opcode::Pong, &[16]), &mut make);
    assert_eq!(endpoint.pings().latency(), Some(Duration::from_millis(300)));
    let ranges: Vec<(f64, u64)> = endpoint.pings().ranges().collect();
    assert_eq!(ranges, [(0.114_688, 1), (0.327_68, 1)]);
    assert_eq!(kinds(&mut endpoint), []);
}

/// The round trips that are to be told, in milliseconds.
fn round_trips(endpoint: &mut Tested) -> Vec<u128> {
    let told = std::iter::from_fn(|| endpoint.take_round_trip()).map(|took| took.as_millis());
    let told: Vec<u128> = told.collect();
    assert_eq!(take_due(endpoint), if told.is_empty() { Due::NOTHING } else { Due::PONGS });
    told
}

#[test]
fn awaited_pings_are_told_of_their_pongs() {
    let mut endpoint = open();
    let mut make = Bytes::default();
    let start = make.now();
    for number in 0..20u8 {
        let sent = start + Duration::from_millis(number.into());
        // However many there are, they are all remembered.
        endpoint.pinging(&[number], sent, number != 3).unwrap();
    }
    assert!(endpoint.pings().is_awaited(&[0]) && !endpoint.pings().is_awaited(&[3]));
    make.now = Some(start + Duration::from_millis(100));
    endpoint.read(&said(Opcode::Pong, &[99]), &mut make);
    assert!(round_trips(&mut endpoint).is_empty());
    endpoint.read(&said(Opcode::Pong, &[0]), &mut make);
    assert!(!endpoint.pings().is_awaited(&[0]));
    // One that was not sent is not told of.
    assert_eq!(endpoint.forget_ping(&[2]), Some(2));
    assert_eq!(endpoint.forget_ping(&[2]), None);
    assert_eq!(endpoint.forget_ping(&[3]), None);
    endpoint.read(&said(Opcode::Pong, &[4]), &mut make);
    assert_eq!(round_trips(&mut endpoint), [100, 99, 96]);
    assert_eq!(endpoint.pings().latency(), Some(Duration::from_millis(96)));
    // Of those that nobody awaits, the oldest is forgotten for the seventeenth.
    for number in 30..47 {
        endpoint.pinging(&[number], start, false).unwrap();
    }
    assert!(endpoint.pings().is_awaited(&[5]));
    endpoint.read(&said(Opcode::Pong, &[30]), &mut make);
    assert!(round_trips(&mut endpoint).is_empty());
    endpoint.read(&said(Opcode::Pong, &[31]), &mut make);
    assert_eq!(round_trips(&mut endpoint).len(), 15);
}

#[test]
fn pings_and_pongs_are_for_whom_they_concern() {
    let mut endpoint = Tested::new(Settings { autoping: false, ..Settings::default() });
    endpoint.read(b"\x89\x01?\x8a\x01!", &mut Bytes::default());
    assert_eq!(kinds(&mut endpoint), [Kind::Ping, Kind::Pong]);
    assert_eq!(written(&mut endpoint), []);
}

#[test]
fn kinds_are_told_apart() {
    let of = |which: fn(Kind) -> bool| Kind::ALL.into_iter().filter(move |kind| which(*kind));
    assert!(of(Kind::is_data).eq([Kind::Text, Kind::Binary]));
    assert!(of(Kind::is_end).eq([Kind::Close, Kind::Error]));
    assert!(of(Kind::ends_iteration).eq([Kind::Close, Kind::Closing, Kind::Closed]));
}
