//! Masking is RFC 6455 §5.3's, whatever the length and alignment; a frame says what went into it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient::frame::{self, Header};
use wsclient::mask;
use wsclient::registry::Opcode;

fuzz_target!(|input: ([u8; 4], u8, &[u8])| {
    let (key, skip, payload) = input;
    let payload = &payload[usize::from(skip).min(payload.len())..];
    let expected: Vec<u8> =
        payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();

    let mut masked = payload.to_vec();
    mask::in_place(&mut masked, key);
    assert_eq!(masked, expected);
    mask::in_place(&mut masked, key);
    assert_eq!(masked, payload);

    let mut out = Vec::new();
    let header = Header::new(Opcode::Binary, payload.len(), Some(key));
    frame::append_frame(&header, payload, &mut out);
    assert_eq!(Header::parse(&out), Ok(Some((header, header.encoded_len()))));
    assert_eq!(out[header.encoded_len()..], expected);
});
