//! What `bytes` does, with frames that are mostly well-formed, so that it comes further.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wsclient::deflate::Deflater;
use wsclient::frame::{self, Header};
use wsclient::registry::Opcode;
use wsclient_fuzz::{Settings, cut, run};

#[derive(Debug, Arbitrary)]
enum Part {
    Message { text: bool, fragments: Vec<Vec<u8>>, compressed: bool, ping: bool },
    Repeated { byte: u8, count: u32, compressed: bool },
    Frame { fin: bool, rsv: u8, opcode: u8, payload: Vec<u8>, key: Option<[u8; 4]> },
    Close { code: u16, reason: String },
    Stray(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
struct Input {
    settings: Settings,
    parts: Vec<Part>,
    cuts: Vec<u16>,
}

fn append(out: &mut Vec<u8>, fin: bool, rsv: u8, opcode: Opcode, payload: &[u8]) {
    let header = Header { fin, rsv: rsv & 7, ..Header::new(opcode, payload.len(), None) };
    frame::append_frame(&header, payload, out);
}

fn append_message(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fragments: &[Vec<u8>],
    deflater: Option<&mut Deflater>,
    ping: bool,
) {
    let compressed = deflater.and_then(|deflater| deflater.deflate(&fragments.concat()));
    let rsv = if compressed.is_some() { 4 } else { 0 };
    // The compressed message is cut where there would have been fragments.
    let pieces: Vec<&[u8]> = match &compressed {
        Some(whole) => whole.chunks(whole.len().div_ceil(fragments.len().max(1)).max(1)).collect(),
        None => fragments.iter().map(Vec::as_slice).collect(),
    };
    for (index, piece) in pieces.iter().enumerate() {
        let first = index == 0;
        let opcode = if first { opcode } else { Opcode::Continuation };
        append(out, index + 1 == pieces.len(), if first { rsv } else { 0 }, opcode, piece);
        if ping {
            append(out, true, 0, Opcode::Ping, b"?");
        }
    }
}

fuzz_target!(|input: Input| {
    let mut deflater = input.settings.deflate.and_then(|takeover| Deflater::new(1, 15, takeover));
    let mut stream = Vec::new();
    for part in &input.parts {
        match part {
            Part::Message { text, fragments, compressed, ping } => {
                let opcode = if *text { Opcode::Text } else { Opcode::Binary };
                let deflater = deflater.as_mut().filter(|_| *compressed);
                append_message(&mut stream, opcode, fragments, deflater, *ping);
            }
            Part::Repeated { byte, count, compressed } => {
                let message = vec![*byte; *count as usize % 100_000];
                let deflater = deflater.as_mut().filter(|_| *compressed);
                append_message(&mut stream, Opcode::Binary, &[message], deflater, false);
            }
            Part::Frame { fin, rsv, opcode, payload, key } => {
                if let Some(opcode) = Opcode::from_u8(opcode & 0xF) {
                    let key = key.filter(|key| key[0] == 7);
                    let header = Header {
                        fin: *fin,
                        rsv: rsv & 7,
                        ..Header::new(opcode, payload.len(), key)
                    };
                    frame::append_frame(&header, payload, &mut stream);
                }
            }
            Part::Close { code, reason } => {
                let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                append(&mut stream, true, 0, Opcode::Close, &payload);
            }
            Part::Stray(bytes) => stream.extend(bytes),
        }
    }
    let whole = run(input.settings, [stream.as_slice()]);
    assert_eq!(run(input.settings, cut(&stream, &input.cuts)), whole);
    if stream.len() < 10_000 {
        assert_eq!(run(input.settings, stream.chunks(1)), whole);
    }
});
