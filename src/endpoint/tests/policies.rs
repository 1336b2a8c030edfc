//! Which messages are kept where the newest ones are.

use super::*;

fn newest(max_size: usize, autoping: bool) -> Tested {
    let mut endpoint = Tested::new(Settings { autoping, ..Settings::default() });
    endpoint.keep_newest(max_size, false);
    endpoint
}

fn keyed(max_size: usize) -> Tested {
    let mut endpoint = Tested::new(Settings { autoping: false, ..Settings::default() });
    endpoint.keep_newest(max_size, true);
    endpoint
}

/// The payloads of all that can be taken.
fn payloads(endpoint: &mut Tested) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| endpoint.take()).map(|item| item.content).collect()
}

fn place(endpoint: &mut Tested, content: &[u8], instead: Option<u64>) -> Option<u64> {
    let item = Item { kind: Kind::Text, content: content.to_vec() };
    endpoint.place((item, content.len()), instead, &mut Bytes::default()).unwrap()
}

#[test]
fn the_oldest_makes_room() {
    let mut endpoint = newest(2, true);
    endpoint.read(b"\x81\x01a\x81\x01b\x81\x01c", &mut Bytes::default());
    assert_eq!((endpoint.dropped(), endpoint.numbers()), (1, (1, 2)));
    assert_eq!(take_due(&mut endpoint), Due::WAKE);
    assert_eq!(payloads(&mut endpoint), [b"b", b"c"]);
    assert_eq!(endpoint.numbers(), (3, 0));
}

#[test]
fn what_is_no_data_is_kept_in_its_place() {
    let mut endpoint = newest(1, false);
    endpoint.read(b"\x81\x01a\x89\x01?\x81\x01b\x8a\x01!\x83\x00", &mut Bytes::default());
    assert_eq!(endpoint.items().count(), 4);
    assert_eq!(kinds(&mut endpoint), [Kind::Ping, Kind::Text, Kind::Pong, Kind::Error]);
    assert_eq!(endpoint.dropped(), 1);
}

#[test]
fn a_batch_of_one_kind_ends_before_what_is_kept() {
    let mut endpoint = newest(2, false);
    endpoint.read(b"\x81\x01a\x81\x01b\x89\x01?\x81\x01c", &mut Bytes::default());
    let text = Some(Kind::Text);
    assert_eq!(queued(&mut endpoint, text), [b"b"]);
    assert!(queued(&mut endpoint, text).is_empty() && !endpoint.has_queued(text));
    assert_eq!(endpoint.take().map(|item| item.kind), Some(Kind::Ping));
    assert_eq!(queued(&mut endpoint, text), [b"c"]);
    assert!(!endpoint.has_queued(text) && !endpoint.has_queued(None));
}

#[test]
fn too_many_pings_pause_reading() {
    let mut endpoint = newest(1, false);
    endpoint.read(&b"\x89\x00".repeat(1027), &mut Bytes::default());
    assert!(endpoint.is_reading_paused());
    for _ in 0..1025 - 256 {
        assert!(!endpoint.due().has(Due::PARSE));
        endpoint.take();
    }
    parse(&mut endpoint);
    assert!(!endpoint.is_reading_paused());
    assert_eq!(kinds(&mut endpoint).len(), 256 + 2);
}

#[test]
fn a_message_waits_for_its_key() {
    let mut endpoint = keyed(2);
    endpoint.read(b"\x81\x01a\x81\x01b", &mut Bytes::default());
    assert_eq!(take_due(&mut endpoint), Due::KEYS);
    assert!(!endpoint.has_message() && !endpoint.is_empty());
    let fresh = endpoint.take_fresh().unwrap();
    assert_eq!(fresh.len(), 2);
    // What comes meanwhile is for later.
    endpoint.read(b"\x81\x01c", &mut Bytes::default());
    assert!(endpoint.take_fresh().is_none());
    for (number, sized) in (0..).zip(fresh) {
        let placed = endpoint.place(sized, None, &mut Bytes::default());
        assert_eq!(placed, Ok(Some(number)));
    }
    endpoint.end_asking();
    assert!(take_due(&mut endpoint).has(Due::WAKE));
    assert_eq!(endpoint.take_fresh().map(|fresh| fresh.len()), Some(1));
    assert!(endpoint.take_fresh().is_none());
}

#[test]
fn what_waits_for_keys_pauses_reading() {
    let mut endpoint = keyed(2);
    arrive(&mut endpoint, inbox::HIGH_WATER + 1);
    arrive(&mut endpoint, 1);
    assert!(endpoint.is_reading_paused());
    assert_eq!(endpoint.row()[13], inbox::HIGH_WATER as u64 + 1 + 64);
    endpoint.take_fresh();
    assert!(!endpoint.due().has(Due::PARSE));
    endpoint.end_asking();
    parse(&mut endpoint);
    assert!(!endpoint.is_reading_paused());
}

#[test]
fn a_message_takes_the_place_of_one_that_waits() {
    let mut endpoint = keyed(3);
    assert_eq!(place(&mut endpoint, b"a", Some(7)), Some(0));
    assert_eq!(place(&mut endpoint, b"b", None), Some(1));
    assert_eq!(place(&mut endpoint, b"A", Some(0)), None);
    assert_eq!(endpoint.dropped(), 1);
    assert_eq!(endpoint.take().map(|item| item.content), Some(b"A".to_vec()));
    // It was taken.
    assert_eq!(place(&mut endpoint, b"a", Some(0)), Some(2));
    assert_eq!(payloads(&mut endpoint), [b"b", b"a"]);
}

#[test]
fn what_is_put_back_is_the_first_again() {
    let policies: [fn(&mut Tested); 2] = [|_| {}, |endpoint| endpoint.keep_newest(5, false)];
    for policy in policies {
        let mut endpoint = Tested::new(Settings { autoping: false, ..Settings::default() });
        policy(&mut endpoint);
        endpoint.read(b"\x81\x01a\x89\x01?\x81\x01b\x8a\x01!\x81\x01c", &mut Bytes::default());
        let taken: Vec<_> = (0..4).filter_map(|_| endpoint.take()).collect();
        take_due(&mut endpoint);
        for item in taken.into_iter().rev() {
            endpoint.put_back(item, &mut Bytes::default());
            assert_eq!(take_due(&mut endpoint), Due::WAKE);
        }
        assert_eq!(payloads(&mut endpoint), [b"a", b"?", b"b", b"!", b"c"]);
        assert!(endpoint.is_empty());
    }
}

#[test]
fn without_a_policy_nothing_waits_for_its_key() {
    let mut endpoint = open();
    endpoint.read(b"\x81\x01a", &mut Bytes::default());
    assert!(endpoint.take_fresh().is_none());
    endpoint.end_asking();
    assert_eq!(place(&mut endpoint, b"b", None), None);
    assert_eq!(endpoint.numbers(), (0, 0));
    assert_eq!(payloads(&mut endpoint), [b"a", b"b"]);
}

#[test]
fn the_end_is_not_answered_while_a_message_is_given_its_place() {
    let mut endpoint = keyed(2);
    endpoint.read(b"\x81\x01a", &mut Bytes::default());
    let fresh = endpoint.take_fresh().unwrap();
    endpoint.read(b"\x88\x02\x03\xe9", &mut Bytes::default());
    assert_eq!(endpoint.phase(), Phase::Answering);
    assert!(!endpoint.is_empty() && !endpoint.is_closed());
    for sized in fresh {
        endpoint.place(sized, None, &mut Bytes::default()).unwrap();
    }
    endpoint.end_asking();
    assert_eq!(payloads(&mut endpoint), [b"a"]);
    assert_eq!(written(&mut endpoint), [closing(1001)]);
}
