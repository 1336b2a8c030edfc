//! One message in parts.

use super::*;

/// Fragments of a text message, without their last.
const BEGUN: &[u8] = b"\x01\x01a\x00\x01b";
const LAST: &[u8] = b"\x80\x01c";

fn read(endpoint: &mut Tested, bytes: &[u8]) {
    endpoint.read(bytes, &mut Bytes::default());
}

/// Whether a part can be wanted.
fn want(endpoint: &mut Tested, begins: bool) -> bool {
    endpoint.want_part(begins, &mut Bytes::default())
}

fn take_part(endpoint: &mut Tested) -> Option<(Kind, Vec<u8>)> {
    endpoint.take_part().map(|item| (item.kind, item.content))
}

#[test]
fn parts_come_as_they_arrive() {
    let mut endpoint = open();
    assert!(want(&mut endpoint, true) && endpoint.is_streaming());
    assert_eq!(endpoint.streamed(), 0);
    read(&mut endpoint, BEGUN);
    assert!(endpoint.due().has(Due::WAKE));
    assert_eq!(take_part(&mut endpoint), Some((Kind::Part, b"a".to_vec())));
    assert_eq!(endpoint.streamed(), 1);
    assert!(want(&mut endpoint, false));
    assert_eq!(take_part(&mut endpoint), Some((Kind::Part, b"b".to_vec())));
    read(&mut endpoint, LAST);
    assert_eq!((endpoint.row()[0], endpoint.row()[1]), (1, 3));
    assert_eq!(take_part(&mut endpoint), Some((Kind::LastPart, b"c".to_vec())));
    assert!(!want(&mut endpoint, false) && !endpoint.is_streaming());
    read(&mut endpoint, &[BEGUN, LAST].concat());
    assert_eq!(endpoint.take().map(|item| item.kind), Some(Kind::Text));
}

#[test]
fn what_waits_stays_whole() {
    let mut endpoint = open();
    arrive(&mut endpoint, 1);
    assert!(want(&mut endpoint, true) && !endpoint.is_streaming());
    assert_eq!(take_part(&mut endpoint), Some((Kind::Binary, vec![7])));
    endpoint.lose(&mut Bytes::default());
    assert!(want(&mut endpoint, true));
    assert_eq!(take_part(&mut endpoint), None);
}

#[test]
fn what_is_gathered_is_a_part() {
    let mut endpoint = open();
    read(&mut endpoint, BEGUN);
    assert!(want(&mut endpoint, true));
    assert_eq!(take_part(&mut endpoint), Some((Kind::Part, b"ab".to_vec())));
}

#[test]
fn the_rest_of_what_was_left_is_discarded() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    endpoint.take_part();
    endpoint.leave_parts();
    endpoint.leave_parts();
    assert!(!endpoint.has_message());
    // The next is wanted in parts before all of this one has come.
    want(&mut endpoint, true);
    read(&mut endpoint, b"\x00\x01x");
    read(&mut endpoint, &[LAST, BEGUN].concat());
    assert_eq!(take_part(&mut endpoint), Some((Kind::Part, b"a".to_vec())));
    assert_eq!(endpoint.streamed(), 2);
    // And the one after that instead of this.
    want(&mut endpoint, true);
    read(&mut endpoint, LAST);
    assert!(!endpoint.has_message());
    read(&mut endpoint, b"\x81\x01c");
    assert_eq!(take_part(&mut endpoint), Some((Kind::LastPart, b"c".to_vec())));
    assert_eq!(endpoint.row()[0], 3);
}

#[test]
fn a_message_that_was_left_may_be_there_whole() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, &[BEGUN, LAST, b"\x81\x01d"].concat());
    endpoint.take_part();
    endpoint.leave_parts();
    assert_eq!(endpoint.take().map(|item| item.content), Some(b"d".to_vec()));
}

#[test]
fn leaving_makes_room() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    let fragment = [&b"\x02\x7e\xff\xff"[..], &vec![0; 0xFFFF]].concat();
    read(&mut endpoint, &fragment);
    for _ in 0..8 {
        read(&mut endpoint, &[&[0], &fragment[1..]].concat());
    }
    read(&mut endpoint, b"\x80\x00");
    assert!(endpoint.is_reading_paused());
    endpoint.leave_parts();
    assert!(endpoint.due().has(Due::PARSE));
    parse(&mut endpoint);
    assert!(!endpoint.has_message() && !endpoint.is_reading_paused());
}

fn want_none(endpoint: &mut Tested) {
    endpoint.want_no_part(&mut Bytes::default());
}

#[test]
fn unless_a_part_was_taken_the_message_comes_whole_after_all() {
    let mut endpoint = open();
    let whole = Some((Kind::Text, b"abc".to_vec()));
    want(&mut endpoint, true);
    want_none(&mut endpoint);
    assert!(!endpoint.is_streaming());
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    want_none(&mut endpoint);
    assert!(!endpoint.is_streaming() && !endpoint.has_message());
    read(&mut endpoint, LAST);
    assert_eq!(endpoint.take().map(|item| (item.kind, item.content)), whole);
    assert_eq!((endpoint.row()[0], endpoint.row()[1]), (1, 3));
    // All of it had come.
    want(&mut endpoint, true);
    read(&mut endpoint, &[BEGUN, LAST, b"\x81\x01d"].concat());
    want_none(&mut endpoint);
    assert_eq!(endpoint.take().map(|item| (item.kind, item.content)), whole);
    assert_eq!(endpoint.take().map(|item| item.content), Some(b"d".to_vec()));
    assert_eq!((endpoint.row()[0], endpoint.row()[1]), (3, 7));
    // It is wanted in parts again.
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    want_none(&mut endpoint);
    assert!(want(&mut endpoint, true));
    assert_eq!(take_part(&mut endpoint), Some((Kind::Part, b"ab".to_vec())));
    want_none(&mut endpoint);
    assert!(want(&mut endpoint, false));
}

#[test]
fn of_a_message_whose_rest_was_discarded_nothing_comes() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    let frame = CloseFrame { code: Some(1000), reason: String::new() };
    endpoint.close(&frame, false, &mut Bytes::default());
    read(&mut endpoint, LAST);
    want_none(&mut endpoint);
    assert!(!endpoint.has_message() && !endpoint.is_streaming());
    assert_eq!(endpoint.close_code(), None);
}

#[test]
fn parts_that_nobody_has_taken_need_memory_to_be_whole_again() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    endpoint.want_no_part(&mut Bytes { exhausted: true, ..Bytes::default() });
    assert_eq!(endpoint.close_code(), Some(1006));
    assert_eq!(kinds(&mut endpoint), [Kind::Error]);
}

#[test]
fn a_part_that_is_put_back_is_the_next() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, &[BEGUN, LAST].concat());
    for expected in [b"a", b"b", b"c"] {
        let begins = endpoint.streamed() == 0;
        let item = endpoint.take_part().unwrap();
        assert!(endpoint.put_back(item, &mut Bytes::default()));
        assert!(want(&mut endpoint, begins));
        assert_eq!(endpoint.take_part().map(|item| item.content), Some(expected.to_vec()));
    }
    assert!(!endpoint.is_streaming());
}

#[test]
fn the_end_comes_instead_of_a_part() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, &[BEGUN, b"\x80\x01\xff"].concat());
    let kinds: Vec<_> =
        std::iter::from_fn(|| take_part(&mut endpoint)).map(|item| item.0).collect();
    assert_eq!(kinds, [Kind::Part, Kind::Part, Kind::Error]);
    assert_eq!(endpoint.close_code(), Some(1007));
}

#[test]
fn parts_that_come_after_this_side_closes_are_discarded() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    read(&mut endpoint, BEGUN);
    let frame = CloseFrame { code: Some(1000), reason: String::new() };
    endpoint.close(&frame, false, &mut Bytes::default());
    read(&mut endpoint, b"\x00\x01x");
    read(&mut endpoint, LAST);
    assert_eq!((endpoint.row()[0], endpoint.dropped()), (0, 0));
    let parts = std::iter::from_fn(|| take_part(&mut endpoint));
    assert_eq!(parts.count(), 2);
}

#[test]
fn a_part_that_there_is_no_memory_for_fails_the_connection() {
    let mut endpoint = open();
    want(&mut endpoint, true);
    endpoint.read(BEGUN, &mut Bytes { exhausted: true, ..Bytes::default() });
    assert_eq!(endpoint.close_code(), Some(1006));
    assert_eq!(kinds(&mut endpoint), [Kind::Error]);
}

#[test]
fn a_policy_and_visible_pings_are_in_the_way() {
    assert_eq!(open().streaming_obstacle(), None);
    let mut dropping = open();
    dropping.keep_newest(1, false);
    assert_eq!(dropping.streaming_obstacle(), Some("with a queue that drops messages"));
    let pinged = Tested::new(Settings { autoping: false, ..Settings::default() });
    assert!(pinged.streaming_obstacle().is_some_and(|text| text.starts_with("without autoping")));
}
