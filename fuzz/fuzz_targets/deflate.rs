//! What is deflated comes out of inflating, with every setting (RFC 7692 §7.2).

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wsclient::deflate::{Deflater, Inflater};

#[derive(Debug, Arbitrary)]
struct Input {
    level: u8,
    window_bits: u8,
    takeover: bool,
    messages: Vec<(Vec<u8>, u16, bool)>,
}

fuzz_target!(|input: Input| {
    let (level, window_bits) = (u32::from(input.level % 10), 9 + input.window_bits % 7);
    let Some(mut deflater) = Deflater::new(level, window_bits, input.takeover) else {
        panic!("level {level} and window {window_bits} are possible");
    };
    // The receiver keeps its window in any case, which reads both.
    let mut inflater = Inflater::new(true);
    for (seed, times, forget) in &input.messages {
        let message = seed.repeat(1 + usize::from(*times) % 300);
        let Some(payload) = deflater.deflate(&message) else { continue };
        if *forget {
            deflater.forget();
        }
        let mut out = Vec::new();
        let limit = message.len() as u64;
        let result = inflater.inflate(&payload, true, limit, &mut out, |_| Ok(()));
        assert_eq!(result, Ok(()));
        assert_eq!(out, message);
    }
});
