//! Whatever is inflated stays within the limit, and does not depend on how it was cut (RFC 7692).

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient::deflate::Inflater;
use wsclient::error::ProtocolError;
use wsclient_fuzz::cut;

type Messages = Vec<Result<Vec<u8>, ProtocolError>>;

fn inflate(takeover: bool, limit: u64, messages: &[&[u8]], cuts: &[u16]) -> Messages {
    let mut inflater = Inflater::new(takeover);
    let mut outcome = Vec::new();
    for message in messages {
        let mut out = Vec::new();
        let mut checked = 0;
        let pieces = cut(message, cuts);
        let result = pieces.iter().enumerate().try_for_each(|(index, piece)| {
            let last = index + 1 == pieces.len();
            inflater.inflate(piece, last, limit, &mut out, |stretch| {
                checked += stretch.len();
                Ok(())
            })
        });
        assert!(out.len() as u64 <= limit + 1);
        assert_eq!(checked, out.len());
        let failed = result.is_err();
        outcome.push(result.map(|()| out));
        if failed {
            break;
        }
    }
    outcome
}

fuzz_target!(|input: (bool, u16, Vec<u16>, Vec<&[u8]>)| {
    let (takeover, limit, cuts, messages) = input;
    let whole = inflate(takeover, u64::from(limit), &messages, &[]);
    assert_eq!(inflate(takeover, u64::from(limit), &messages, &cuts), whole);
});
