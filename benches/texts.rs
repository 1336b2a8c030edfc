//! Text into the units that Python keeps, so many times: what `compare/texts.py` counts the instructions
//! of. Its arguments are the name of a text in `texts.txt`, its bytes, and how often.
#![allow(clippy::expect_used, reason = "it is told when its arguments are wrong")]

use std::env;
use std::hint::black_box;

use wsclient::transcode::{self, Unit, Width};
use wsclient::utf8;

const TEXTS: &str = include_str!("texts.txt");

/// A text of at most so many bytes, of whole characters.
fn text(name: &str, size: usize) -> String {
    let mut texts = TEXTS.lines().filter_map(|line| line.split_once(": "));
    let (_, line) = texts.find(|(found, _)| *found == name).expect("texts.txt has the text");
    let mut text = line.repeat(size / line.len() + 1);
    text.truncate(text.floor_char_boundary(size));
    text
}

fn write<U: Unit>(text: &str, room: &mut [U]) {
    transcode::write(text, black_box(room));
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, name, size, count] = &arguments[..] else {
        return println!("takes a text's name, its bytes, and how often; see compare/texts.py");
    };
    let text = text(name, size.parse().expect("bytes"));
    let (length, _) = transcode::measure(&text);
    let (mut narrow, mut middle, mut wide) =
        (vec![0u8; length], vec![0u16; length], vec![0; length]);
    for _ in 0..count.parse().expect("how often") {
        let text = black_box(text.as_bytes());
        utf8::validate(text).expect("UTF-8");
        // SAFETY: that it is has just been found.
        let text = unsafe { str::from_utf8_unchecked(text) };
        match transcode::measure(text) {
            (_, Width::Ascii) => black_box(&mut narrow).copy_from_slice(text.as_bytes()),
            (_, Width::Latin1) => write::<u8>(text, &mut narrow),
            (_, Width::Ucs2) => write::<u16>(text, &mut middle),
            (_, Width::Ucs4) => write::<u32>(text, &mut wide),
        }
    }
}
