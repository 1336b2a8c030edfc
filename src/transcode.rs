//! UTF-8 into the units that Python keeps text in: one, two or four bytes for each character,
//! whatever the widest character needs (PEP 393).
//!
//! `CPython`'s own decoder checks again what [`utf8`](crate::utf8) has checked, guesses the width and
//! starts anew when it was wrong.

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod blocks;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod steps;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// What the characters of a text need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Up to U+007F: UTF-8 as it is.
    Ascii,
    /// Up to U+00FF, one byte each.
    Latin1,
    /// Up to U+FFFF, two bytes each.
    Ucs2,
    /// All of Unicode, four bytes each.
    Ucs4,
}

/// How many characters a text has, and how wide they are.
#[must_use]
#[inline]
pub fn measure(text: &str) -> (usize, Width) {
    if text.is_ascii() { (text.len(), Width::Ascii) } else { measure_wide(text.as_bytes()) }
}

fn measure_wide(text: &[u8]) -> (usize, Width) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { measure_avx2(text) };
    }
    measure_any(text)
}

/// Half the instructions of what every x86-64 has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn measure_avx2(text: &[u8]) -> (usize, Width) {
    measure_any(text)
}

#[expect(clippy::inline_always, reason = "each caller compiles it for another processor")]
#[inline(always)]
fn measure_any(text: &[u8]) -> (usize, Width) {
    let (mut continuations, mut largest) = (0, 0);
    let mut count = |piece: &[u8]| {
        let mut here = 0u8;
        for &byte in piece {
            here += u8::from(byte & 0xC0 == 0x80);
            largest = largest.max(byte);
        }
        continuations += usize::from(here);
    };
    // Of a fixed size, so that the compiler makes vector code of the loop.
    let (pieces, rest) = text.as_chunks::<64>();
    for piece in pieces {
        count(piece);
    }
    count(rest);
    // Lead bytes grow with what they lead to, so the largest byte tells the widest character.
    let width = match largest {
        0..0x80 => Width::Ascii,
        0x80..0xC4 => Width::Latin1,
        0xC4..0xF0 => Width::Ucs2,
        _ => Width::Ucs4,
    };
    (text.len() - continuations, width)
}

/// A unit that holds one character.
pub trait Unit: Copy {
    /// The unit for a character that fits.
    fn of(character: u32) -> Self;
}

impl Unit for u8 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the character fits")]
    fn of(character: u32) -> Self {
        character as u8
    }
}

impl Unit for u16 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the character fits")]
    fn of(character: u32) -> Self {
        character as u16
    }
}

impl Unit for u32 {
    #[inline]
    fn of(character: u32) -> Self {
        character
    }
}

/// Write the characters of a text over `out`, whose length and width are what [`measure`] says.
///
/// # Panics
/// If the length is another.
pub fn write<U: Unit>(text: &str, out: &mut [U]) {
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { blocks::write_neon(text, out) };
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { blocks::write_avx2(text, out) };
    }
    write_older(text, out);
}

/// What x86-64 processors of before 2013 do, and those of other kinds.
fn write_older<U: Unit>(text: &str, out: &mut [U]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("ssse3") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { blocks::write_ssse3(text, out) };
    }
    write_plain(text, out);
}

fn write_plain<U: Unit>(text: &str, out: &mut [U]) {
    for (unit, character) in out.iter_mut().zip(text.chars()) {
        *unit = U::of(u32::from(character));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Runs of like characters, as in text of people, and every mixture.
    fn text() -> impl Strategy<Value = String> {
        let run = prop_oneof![
            "[ -~]{0,20}",
            "[à-ÿ]{0,20}",
            "[а-я ]{0,20}",
            "[一-龥]{0,20}",
            "[😀-🙏]{0,8}",
            ".{0,9}",
            "[\u{7f}\u{80}\u{ff}\u{100}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}]{0,9}",
        ];
        vec(run, 0..8).prop_map(|runs| runs.concat())
    }

    type Write<U> = fn(&str, &mut [U]);

    /// What this processor can do, each with its name.
    fn ways<U: Unit>() -> Vec<(&'static str, Write<U>)> {
        let mut ways: Vec<(&'static str, Write<U>)> =
            vec![("chosen", write), ("plain", write_plain)];
        #[cfg(target_arch = "aarch64")]
        // SAFETY: each of the kind has it.
        ways.push(("neon", |text, out| unsafe { blocks::write_neon(text, out) }));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("ssse3") {
            // SAFETY: asked for above.
            ways.push(("ssse3", |text, out| unsafe { blocks::write_ssse3(text, out) }));
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: asked for above.
            ways.push(("avx2", |text, out| unsafe { blocks::write_avx2(text, out) }));
        }
        ways
    }

    fn check_units<U: Unit + Default + Into<u32>>(text: &str, expected: &[u32]) {
        for (name, write) in ways() {
            // Exactly as much room as there is, so that valgrind sees what is written beyond it.
            let mut out = vec![U::default(); expected.len()].into_boxed_slice();
            write(text, &mut out);
            let written: Vec<u32> = out.iter().map(|unit| (*unit).into()).collect();
            assert_eq!(written, expected, "{name}: {text:?}");
        }
    }

    /// Compare with the standard library.
    fn check(text: &str) {
        let expected: Vec<u32> = text.chars().map(u32::from).collect();
        let width = match expected.iter().max().copied().unwrap_or(0) {
            0..0x80 => Width::Ascii,
            0x80..0x100 => Width::Latin1,
            0x100..0x1_0000 => Width::Ucs2,
            _ => Width::Ucs4,
        };
        assert_eq!(measure(text), (expected.len(), width), "{text:?}");
        assert_eq!(measure_any(text.as_bytes()), (expected.len(), width), "{text:?}");
        if width <= Width::Latin1 {
            check_units::<u8>(text, &expected);
        }
        if width <= Width::Ucs2 {
            check_units::<u16>(text, &expected);
        }
        check_units::<u32>(text, &expected);
    }

    proptest! {
        #[test]
        fn equal_the_standard_library(text in text()) {
            check(&text);
        }
    }

    #[test]
    fn every_character_alone_and_among_others() {
        let characters: Vec<char> = ('\0'..=char::MAX).collect();
        for run in characters.chunks(1 << 12) {
            check(&run.iter().collect::<String>());
        }
        // Where widths change, each has been next to another one too.
        for pair in characters.windows(2).filter(|pair| pair[0].len_utf8() != pair[1].len_utf8()) {
            check(&pair.iter().cycle().take(100).collect::<String>());
        }
    }

    #[test]
    fn every_place_in_a_block() {
        for other in ["a", "é", "龥", "😀"] {
            for character in ["\0", "\u{7ff}", "\u{ffff}", "\u{10ffff}"] {
                for before in 0..70 {
                    for after in [0, 1, 16, 80] {
                        check(&[&other.repeat(before), character, &other.repeat(after)].concat());
                    }
                }
            }
        }
    }

    #[test]
    fn every_order_of_lengths() {
        // Seven characters of any length are more than the twelve bytes of a step.
        for mut number in 0..4usize.pow(7) {
            let text: String = (0..7)
                .map(|_| {
                    let length = number % 4;
                    number /= 4;
                    ['a', 'я', '龥', '😀'][length]
                })
                .collect();
            check(&text.repeat(3));
        }
    }

    #[test]
    fn long_texts_are_counted_right() {
        for text in ["a", "é", "я", "龥", "😀"] {
            assert_eq!(measure(&text.repeat(1000)).0, 1000);
        }
    }
}
