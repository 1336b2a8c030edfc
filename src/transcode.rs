//! UTF-8 into the units that Python keeps text in: one, two or four bytes for each character,
//! whatever the widest character needs (PEP 393).
//!
//! `CPython`'s own decoder checks again what [`utf8`](crate::utf8) has checked, guesses the width and
//! starts anew when it was wrong: 20 instructions a character of Greek and Cyrillic, against 8 here.

#[cfg(target_arch = "x86_64")]
mod ssse3;

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

    /// Write as many characters as there is a faster way for; returns bytes read, units written.
    #[inline]
    fn write_fast(_text: &[u8], _out: &mut [Self]) -> (usize, usize) {
        (0, 0)
    }
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

    #[cfg(target_arch = "x86_64")]
    fn write_fast(text: &[u8], out: &mut [Self]) -> (usize, usize) {
        if !is_x86_feature_detected!("ssse3") {
            return (0, 0);
        }
        // SAFETY: the processor has what the function is compiled for.
        unsafe { ssse3::write(text, out) }
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
/// If `out` is shorter than the text.
#[expect(clippy::cast_possible_truncation, reason = "a lane has 16 bits")]
pub fn write<U: Unit>(text: &str, out: &mut [U]) {
    let (mut read, mut written) = U::write_fast(text.as_bytes(), out);
    // Eight bytes at a time. A run of like characters is written as if it filled them; what it
    // does not fill is written over by what comes next.
    while let (Some(bytes), Some(room)) =
        (text.as_bytes()[read..].first_chunk::<8>(), out[written..].first_chunk_mut::<8>())
    {
        let word = u64::from_le_bytes(*bytes);
        let ascii = (word & 0x8080_8080_8080_8080).trailing_zeros() as usize / 8;
        if ascii > 0 {
            for (unit, byte) in room.iter_mut().zip(bytes) {
                *unit = U::of(u32::from(*byte));
            }
            read += ascii;
            written += ascii;
            continue;
        }
        // 110xxxxx 10xxxxxx, four times.
        let others = (word & 0xC0E0_C0E0_C0E0_C0E0) ^ 0x80C0_80C0_80C0_80C0;
        let pairs = others.trailing_zeros() as usize / 16;
        if pairs > 0 {
            let lanes = (word & 0x001F_001F_001F_001F) << 6 | (word >> 8 & 0x003F_003F_003F_003F);
            for (index, unit) in room[..4].iter_mut().enumerate() {
                *unit = U::of(u32::from((lanes >> (16 * index)) as u16));
            }
            read += 2 * pairs;
            written += pairs;
            continue;
        }
        let (character, length) = long(*bytes);
        room[0] = U::of(character);
        read += length;
        written += 1;
    }
    for (unit, character) in out[written..].iter_mut().zip(text[read..].chars()) {
        *unit = U::of(u32::from(character));
    }
}

/// The character of three or four bytes at the start of `bytes`, and which of the two it was.
#[inline]
fn long(bytes: [u8; 8]) -> (u32, usize) {
    let [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]].map(u32::from);
    let three = (a & 0x0F) << 12 | (b & 0x3F) << 6 | (c & 0x3F);
    if a < 0xF0 { (three, 3) } else { ((a & 0x07) << 18 | (three & 0xFFF) << 6 | (d & 0x3F), 4) }
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

    fn written<U: Unit + Default + Into<u32>>(text: &str, length: usize) -> Vec<u32> {
        let mut out = vec![U::default(); length];
        write(text, &mut out);
        out.into_iter().map(Into::into).collect()
    }

    proptest! {
        #[test]
        fn equal_the_standard_library(text in text()) {
            let expected: Vec<u32> = text.chars().map(u32::from).collect();
            let (length, width) = measure(&text);
            prop_assert_eq!(length, expected.len());
            let widest = expected.iter().max().copied().unwrap_or(0);
            prop_assert_eq!(width, match widest {
                0..0x80 => Width::Ascii,
                0x80..0x100 => Width::Latin1,
                0x100..0x1_0000 => Width::Ucs2,
                _ => Width::Ucs4,
            });
            if width <= Width::Latin1 {
                prop_assert_eq!(&written::<u8>(&text, length), &expected);
            }
            if width <= Width::Ucs2 {
                prop_assert_eq!(&written::<u16>(&text, length), &expected);
            }
            prop_assert_eq!(&written::<u32>(&text, length), &expected);
        }
    }

    #[test]
    fn long_texts_are_counted_right() {
        for text in ["a", "é", "я", "龥", "😀"] {
            assert_eq!(measure(&text.repeat(1000)).0, 1000);
        }
    }
}
