//! What the core's parts cost, in bytes per second: `cargo bench --features bench --bench core`.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wsclient::assembler::Assembler;
use wsclient::connection::{Connection, UNLIMITED};
use wsclient::deflate::{Deflater, Inflater};
use wsclient::frame::{self, Header};
use wsclient::registry::Opcode;
use wsclient::transcode::{self, Unit, Width};
use wsclient::{keys, mask, utf8};

const KEY: mask::Key = [0x37, 0xfa, 0x21, 0x3d];
/// A tick, a small order book, a snapshot, a download.
const SIZES: [usize; 4] = [125, 5 * 1024, 64 * 1024, 1024 * 1024];
/// The bytes that a busy connection's `recv()` returns at once.
const READ: usize = 64 * 1024;

fn ascii(size: usize) -> Vec<u8> {
    br#"{"price":101.25,"size":3}"#.iter().copied().cycle().take(size).collect()
}

/// Text of one, two, three and four bytes a character.
fn mixed(size: usize) -> Vec<u8> {
    let mut text: Vec<u8> = "aä€𝄞 ".bytes().cycle().take(size).collect();
    if let Err(error) = std::str::from_utf8(&text) {
        text.truncate(error.valid_up_to());
    }
    text
}

fn server_frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header { fin, ..Header::new(opcode, payload.len(), None) };
    frame::append_frame(&header, payload, &mut out);
    out
}

fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for size in SIZES {
        let source = ascii(size);
        let mut target = vec![0; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("copy", size), |b| {
            b.iter(|| mask::copy(black_box(&mut target), black_box(&source), KEY));
        });
        group.bench_function(BenchmarkId::new("in_place", size), |b| {
            b.iter(|| mask::in_place(black_box(&mut target), KEY));
        });
    }
}

fn validating(c: &mut Criterion) {
    let mut group = c.benchmark_group("utf8");
    for size in SIZES {
        for (name, text) in [("ascii", ascii(size)), ("mixed", mixed(size))] {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &text, |b, text| {
                b.iter(|| utf8::validate(black_box(text)));
            });
        }
    }
    let text = mixed(READ);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("mixed in pieces of 1,000", |b| {
        b.iter(|| {
            let mut validator = utf8::Utf8Validator::new();
            text.chunks(1000).try_for_each(|piece| validator.feed(black_box(piece)))
        });
    });
}

/// Characters into the units that Python keeps.
fn transcoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("transcode");
    for (name, line) in include_str!("texts.txt").lines().filter_map(|line| line.split_once(": ")) {
        let text = line.repeat(4096 / line.len());
        let (length, width) = transcode::measure(&text);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| match width {
            Width::Ascii => b.iter(|| transcode::measure(black_box(&text))),
            Width::Latin1 => b.iter(|| units::<u8>(&text, length)),
            Width::Ucs2 => b.iter(|| units::<u16>(&text, length)),
            Width::Ucs4 => b.iter(|| units::<u32>(&text, length)),
        });
    }
}

fn units<U: Unit + Default>(text: &str, length: usize) -> Vec<U> {
    black_box(transcode::measure(black_box(text)));
    let mut units = vec![U::default(); length];
    transcode::write(text, &mut units);
    units
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("header");
    for size in [125, 5 * 1024, 64 * 1024] {
        let header = Header::new(Opcode::Binary, size, None);
        let mut bytes = [0; frame::MAX_HEADER];
        let length = header.write(&mut bytes);
        group.bench_function(BenchmarkId::new("parse", size), |b| {
            b.iter(|| Header::parse(black_box(&bytes[..length])));
        });
    }
}

/// A message that comes in four fragments, or in one frame that several reads bring.
fn assembling(c: &mut Criterion) {
    let mut group = c.benchmark_group("assemble");
    for size in [5 * 1024, 1024 * 1024] {
        for (kind, opcode, message) in
            [("binary", Opcode::Binary, ascii(size)), ("text", Opcode::Text, mixed(size))]
        {
            group.throughput(Throughput::Bytes(message.len() as u64));
            let fragments: Vec<_> = message.chunks(message.len().div_ceil(4)).collect();
            group.bench_function(BenchmarkId::new(format!("{kind} fragments"), size), |b| {
                b.iter(|| {
                    let mut assembler = Assembler::new(UNLIMITED);
                    for (index, fragment) in fragments.iter().enumerate() {
                        let opcode = if index == 0 { opcode } else { Opcode::Continuation };
                        assembler.begin_frame(&Header::new(opcode, fragment.len(), None))?;
                        assembler.push(black_box(fragment), 0)?;
                    }
                    assembler.finish()
                });
            });
            let header = Header::new(opcode, message.len(), None);
            group.bench_function(BenchmarkId::new(format!("{kind} in reads"), size), |b| {
                b.iter(|| {
                    let mut assembler = Assembler::new(UNLIMITED);
                    assembler.begin_frame(&header)?;
                    let mut remaining = header.length;
                    for piece in message.chunks(READ) {
                        remaining -= piece.len() as u64;
                        assembler.push(black_box(piece), remaining)?;
                    }
                    assembler.finish()
                });
            });
        }
    }
}

/// Bytes as they are read, to events.
fn receiving(c: &mut Criterion) {
    let mut group = c.benchmark_group("receive");
    let tick = server_frame(Opcode::Text, true, &ascii(125));
    let book = server_frame(Opcode::Text, true, &ascii(5 * 1024));
    let fragments = [
        server_frame(Opcode::Text, false, &mixed(2000)),
        server_frame(Opcode::Ping, true, b""),
        server_frame(Opcode::Continuation, true, &mixed(2000)),
    ]
    .concat();
    let large = server_frame(Opcode::Binary, true, &ascii(16 * READ));
    let streams = [
        ("ticks", tick.repeat(READ / tick.len())),
        ("books", book.repeat(16)),
        ("fragments with a ping between", fragments.repeat(16)),
        ("one large message", large),
    ];
    for (name, stream) in streams {
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_with_input(name, &stream, |b, stream| {
            b.iter_batched_ref(
                || Connection::new(UNLIMITED),
                |connection| {
                    for mut read in stream.chunks(READ) {
                        while let Ok(Some(event)) = connection.next_event(black_box(&mut read)) {
                            black_box(event);
                        }
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// A message to the bytes of its masked frame.
fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for size in SIZES {
        let payload = ascii(size);
        let header = Header::new(Opcode::Text, size, Some(KEY));
        let mut out = vec![0; header.encoded_len() + size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| frame::write_frame(&header, black_box(&payload), black_box(&mut out)));
        });
    }
    let mut keys = keys::Keys::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function("masking key", |b| b.iter(|| keys.draw()));
}

/// Messages as a feed has them: alike, and never the same.
fn feed(size: usize) -> Vec<Vec<u8>> {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut message = || {
        let mut text = String::from(r#"{"symbol":"BTCUSDT","bids":["#);
        while text.len() < size {
            let (price, cents, lots) = (60_000 + next(999), next(100), next(100_000));
            let _ = write!(text, r#"["{price}.{cents:02}","0.{lots:05}"],"#);
        }
        text.truncate(size);
        text.into_bytes()
    };
    (0..64).map(|_| message()).collect()
}

/// permessage-deflate. `--features flate2/zlib` or `flate2/zlib-ng` puts C libraries in its place.
fn compressing(c: &mut Criterion) {
    let mut group = c.benchmark_group("deflate");
    for size in [125, 5 * 1024, 1024 * 1024] {
        let messages = if size > 64 * 1024 { feed(size)[..2].to_vec() } else { feed(size) };
        group.throughput(Throughput::Bytes((size * messages.len()) as u64));
        for (level, takeover) in [(1, true), (1, false), (6, true), (6, false)] {
            let name = format!("level {level} {}", if takeover { "takeover" } else { "alone" });
            let Some(mut deflater) = Deflater::new(level, 15, takeover) else {
                continue;
            };
            group.bench_function(BenchmarkId::new(format!("compress {name}"), size), |b| {
                b.iter(|| messages.iter().map(|m| deflater.deflate(black_box(m))).count());
            });
            deflater.forget();
            let payloads: Vec<_> = messages.iter().filter_map(|m| deflater.deflate(m)).collect();
            let total: usize = payloads.iter().map(Vec::len).sum();
            println!("{name}: {size} bytes become {}", total / payloads.len());
            group.bench_function(BenchmarkId::new(format!("inflate {name}"), size), |b| {
                b.iter(|| {
                    let mut inflater = Inflater::new(takeover);
                    for payload in &payloads {
                        let (input, mut out) = (black_box(payload), Vec::new());
                        let result = inflater.inflate(input, true, UNLIMITED, &mut out, |_| Ok(()));
                        assert_eq!(result, Ok(()));
                        black_box(out);
                    }
                });
            });
        }
    }
}

criterion_group!(
    benches,
    masking,
    validating,
    transcoding,
    headers,
    assembling,
    receiving,
    encoding,
    compressing
);
criterion_main!(benches);
