//! Any bytes, cut anywhere, yield the same events and the same verdict.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient_fuzz::{Settings, cut, run};

fuzz_target!(|input: (Settings, Vec<u16>, &[u8])| {
    let (settings, cuts, stream) = input;
    let whole = run(settings, [stream]);
    assert_eq!(run(settings, cut(stream, &cuts)), whole);
    assert_eq!(run(settings, stream.chunks(1)), whole);
});
