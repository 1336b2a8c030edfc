//! A header is refused, incomplete, or the one way to write what it says (RFC 6455 §5.2).

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient::frame::{Header, MAX_HEADER};

fuzz_target!(|input: &[u8]| {
    let parsed = Header::parse(input);
    if let Ok(Some((header, length))) = parsed {
        assert_eq!(length, header.encoded_len());
        let mut out = [0; MAX_HEADER];
        assert_eq!(header.write(&mut out), length);
        assert_eq!(out[..length], input[..length]);
        for end in 0..length {
            assert_eq!(Header::parse(&input[..end]), Ok(None));
        }
    }
    if let Err(error) = parsed {
        // The verdict stands whatever follows.
        let longer = [input, &[0; 16]].concat();
        assert_eq!(Header::parse(&longer), Err(error));
    }
});
