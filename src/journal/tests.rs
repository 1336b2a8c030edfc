//! What becomes of entries.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn text(waiting: &mut Waiting) -> String {
    let mut out = Vec::new();
    while let Some(piece) = waiting.take() {
        lines(&piece, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn parsed(waiting: &mut Waiting) -> Vec<Value> {
    text(waiting).split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_kind_of_entry_has_its_line() {
    let mut waiting = Waiting::new(usize::MAX);
    let close = closing(&CloseFrame { code: Some(1000), reason: "\"bye\"".to_owned() });
    for (ns, (tells, payload)) in (0..).zip([
        (Tells::Open, &b"\"url\":\"ws://x/\""[..]),
        (Tells::Text(Way::Out), "a\u{1f600}\n".as_bytes()),
        (Tells::Text(Way::In), b""),
        (Tells::Binary(Way::In), b"\x00\xff"),
        (Tells::Binary(Way::Out), b""),
        (Tells::Ping(Way::In), b"abc"),
        (Tells::Pong(Way::Out), b"abc"),
        (Tells::Ping(Way::Out), b"a"),
        (Tells::Pong(Way::In), b"ab"),
        (Tells::Close(Way::Out), &close),
        (Tells::Close(Way::In), &closing(&CloseFrame::default())),
        (Tells::End, &closing(&CloseFrame { code: Some(1006), reason: String::new() })),
    ]) {
        waiting.push(Duration::from_nanos(ns), 7, tells, payload);
    }
    let expected = concat!(
        "{\"ns\":0,\"conn\":7,\"type\":\"open\",\"url\":\"ws://x/\"}\n",
        "{\"ns\":1,\"conn\":7,\"dir\":\"out\",\"type\":\"text\",\"text\":\"a\u{1f600}\\n\"}\n",
        "{\"ns\":2,\"conn\":7,\"dir\":\"in\",\"type\":\"text\",\"text\":\"\"}\n",
        "{\"ns\":3,\"conn\":7,\"dir\":\"in\",\"type\":\"binary\",\"base64\":\"AP8=\"}\n",
        "{\"ns\":4,\"conn\":7,\"dir\":\"out\",\"type\":\"binary\",\"base64\":\"\"}\n",
        "{\"ns\":5,\"conn\":7,\"dir\":\"in\",\"type\":\"ping\",\"base64\":\"YWJj\"}\n",
        "{\"ns\":6,\"conn\":7,\"dir\":\"out\",\"type\":\"pong\",\"base64\":\"YWJj\"}\n",
        "{\"ns\":7,\"conn\":7,\"dir\":\"out\",\"type\":\"ping\",\"base64\":\"YQ==\"}\n",
        "{\"ns\":8,\"conn\":7,\"dir\":\"in\",\"type\":\"pong\",\"base64\":\"YWI=\"}\n",
        "{\"ns\":9,\"conn\":7,\"dir\":\"out\",\"type\":\"close\",\"code\":1000,",
        "\"reason\":\"\\\"bye\\\"\"}\n",
        "{\"ns\":10,\"conn\":7,\"dir\":\"in\",\"type\":\"close\",\"code\":null,\"reason\":\"\"}\n",
        "{\"ns\":11,\"conn\":7,\"type\":\"end\",\"code\":1006,\"reason\":\"\"}\n",
    );
    assert_eq!(text(&mut waiting), expected);
    assert!(waiting.is_empty());
    assert_eq!(waiting.lost(), Amount::default());
}

#[test]
fn what_has_no_room_is_counted_where_it_is_missing() {
    let mut waiting = Waiting::new(2 * (HEAD + 10));
    let push = |waiting: &mut Waiting, tells| waiting.push(Duration::ZERO, 1, tells, &[b'x'; 10]);
    for _ in 0..5 {
        push(&mut waiting, Tells::Text(Way::In));
    }
    assert_eq!(waiting.lost(), Amount { messages: 3, bytes: 30 });
    assert_eq!(parsed(&mut waiting).len(), 2);
    push(&mut waiting, Tells::Text(Way::Out));
    let found = parsed(&mut waiting);
    assert_eq!(found[0], serde_json::json!({"ns": 0, "type": "lost", "messages": 3, "bytes": 30}));
    assert_eq!(found[1]["dir"], "out");
    // Which end it was must be known in any case.
    for _ in 0..5 {
        push(&mut waiting, Tells::End);
    }
    assert_eq!(parsed(&mut waiting).len(), 5);
}

#[test]
fn after_the_end_of_writing_all_is_lost() {
    let mut waiting = Waiting::new(usize::MAX);
    for tells in [Tells::Open, Tells::Text(Way::In), Tells::Ping(Way::In), Tells::End] {
        waiting.push(Duration::ZERO, 1, tells, b"{}");
    }
    waiting.give_up(Amount { messages: 10, bytes: 100 });
    waiting.push(Duration::ZERO, 1, Tells::Text(Way::In), b"{}");
    assert!(waiting.is_empty());
    assert_eq!(waiting.lost(), Amount { messages: 13, bytes: 106 });
}

#[test]
fn parts_are_one_message() {
    let mut parts = Parts::default();
    assert_eq!(parts.add(b"a", false, 2), None);
    assert_eq!(parts.add(b"b", true, 2), Some(Ok(b"ab".to_vec())));
    assert_eq!(parts.add(b"c", false, 2), None);
    parts.clear();
    assert_eq!(parts.add(b"", true, 2), Some(Ok(Vec::new())));
    for part in [b"ab", b"cd", b"ef"] {
        assert_eq!(parts.add(part, false, 2), None);
    }
    assert_eq!(parts.add(b"g", true, 2), Some(Err(7)));
    assert_eq!(parts.add(b"h", true, 2), Some(Ok(b"h".to_vec())));
}

proptest! {
    #[test]
    fn any_text_and_any_bytes_come_back(
        texts in prop::collection::vec(any::<String>(), 0..8), size in 0_usize..300
    ) {
        let mut waiting = Waiting::new(usize::MAX);
        for text in &texts {
            waiting.push(Duration::MAX, u32::MAX, Tells::Text(Way::In), text.as_bytes());
            waiting.push(Duration::ZERO, 0, Tells::Binary(Way::Out), &vec![b'\\'; size]);
        }
        let found = parsed(&mut waiting);
        prop_assert_eq!(found.len(), 2 * texts.len());
        for (text, pair) in texts.iter().zip(found.chunks(2)) {
            prop_assert_eq!(pair[0]["text"].as_str(), Some(text.as_str()));
            let mut bytes = vec![0; size + 3];
            let base64 = pair[1]["base64"].as_str().unwrap();
            let length = STANDARD.decode_slice(base64, &mut bytes).unwrap();
            prop_assert_eq!(&bytes[..length], &vec![b'\\'; size]);
        }
    }
}
