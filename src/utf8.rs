//! UTF-8 over fragments (RFC 6455 §8.1).

use simdutf8::{basic, compat};

/// Checks a text whose pieces may break a character anywhere, and fails at the first byte that
/// cannot be part of UTF-8, without waiting for the piece that would complete the character.
#[derive(Debug, Default, Clone)]
pub struct Utf8Validator {
    /// The start of a character whose end has not arrived.
    partial: [u8; 4],
    partial_len: usize,
    /// Bytes of the text before `partial`.
    checked: u64,
}

/// The offset, in the whole text, of the first sequence that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8(pub u64);

impl Utf8Validator {
    /// A validator at the start of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Check the next piece.
    ///
    /// # Errors
    /// When the text so far cannot be the start of UTF-8.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.partial_len > 0 {
            let [byte, rest @ ..] = piece else {
                return Ok(());
            };
            self.partial[self.partial_len] = *byte;
            self.partial_len += 1;
            piece = rest;
            match compat::from_utf8(&self.partial[..self.partial_len]) {
                Ok(_) => {
                    self.checked += self.partial_len as u64;
                    self.partial_len = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8(self.checked)),
            }
        }
        match compat::from_utf8(piece) {
            Ok(_) => self.checked += piece.len() as u64,
            Err(error) => {
                let (whole, rest) = piece.split_at(error.valid_up_to());
                self.checked += whole.len() as u64;
                if error.error_len().is_some() {
                    return Err(InvalidUtf8(self.checked));
                }
                self.partial[..rest.len()].copy_from_slice(rest);
                self.partial_len = rest.len();
            }
        }
        Ok(())
    }

    /// How many bytes at the end are the start of a character whose end has not arrived.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.partial_len
    }

    /// Say that the text has ended.
    ///
    /// # Errors
    /// When it ends inside a character.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.partial_len == 0 { Ok(()) } else { Err(InvalidUtf8(self.checked)) }
    }
}

/// Check a whole text, faster than piece by piece.
///
/// # Errors
/// The offset of the first sequence that is not UTF-8.
#[inline]
pub fn validate(text: &[u8]) -> Result<(), InvalidUtf8> {
    let valid = match text.len() {
        SHORT..WHOLE => text.is_ascii() || is_valid_filled_up(text),
        _ => basic::from_utf8(text).is_ok(),
    };
    if valid { Ok(()) } else { Err(locate(text)) }
}

/// Less than this, simdutf8 checks byte by byte,
const WHOLE: usize = 64;
/// which from here on takes more instructions than to fill it up.
const SHORT: usize = 12;

fn is_valid_filled_up(text: &[u8]) -> bool {
    let mut whole = [0; WHOLE];
    whole[..text.len()].copy_from_slice(text);
    basic::from_utf8(&whole).is_ok()
}

#[cold]
fn locate(text: &[u8]) -> InvalidUtf8 {
    InvalidUtf8(compat::from_utf8(text).err().map_or(0, |error| error.valid_up_to() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The standard library as the reference: whether `text` can still become UTF-8.
    fn could_become_utf8(text: &[u8]) -> bool {
        match std::str::from_utf8(text) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        }
    }

    fn text_with_flaws() -> impl Strategy<Value = Vec<u8>> {
        let flaw = prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            vec(any::<u8>(), 0..4),
            Just(b"\xed\xa0\x80".to_vec()),
            Just(b"\xf4\x90\x80\x80".to_vec()),
            Just(b"\xc0\xaf".to_vec()),
        ];
        vec(flaw, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn fails_at_the_first_impossible_byte(
            text in text_with_flaws(), cuts in vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut validator = Utf8Validator::new();
            for pair in cuts.windows(2) {
                let fed = validator.feed(&text[pair[0]..pair[1]]);
                prop_assert_eq!(fed.is_ok(), could_become_utf8(&text[..pair[1]]));
                if let Err(InvalidUtf8(offset)) = fed {
                    let valid = std::str::from_utf8(&text).map_or_else(|e| e.valid_up_to(), str::len);
                    prop_assert_eq!(offset, valid as u64);
                    return Ok(());
                }
            }
            prop_assert_eq!(validator.finish().is_ok(), std::str::from_utf8(&text).is_ok());
        }

        #[test]
        fn whole_and_incremental_agree(text in text_with_flaws()) {
            let mut validator = Utf8Validator::new();
            let incremental = validator.feed(&text).and_then(|()| validator.finish());
            prop_assert_eq!(validate(&text), incremental);
        }
    }

    /// What is wrong (and what is not), at every place, among characters of every length: the
    /// places in a register, and the ends of what is filled up, behave alike.
    #[test]
    fn flaws_are_found_at_every_place() {
        let flaws: [&[u8]; 16] = [
            b"",
            b"\x80",
            b"\xbf",
            b"\xc0\x80",
            b"\xc1\xbf",
            b"\xc2",
            b"\xc2\xc2\x80",
            b"\xe0\x9f\xbf",
            b"\xe2\x82",
            b"\xed\xa0\x80",
            b"\xed\xbf\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf0\x9f\x98",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xff",
        ];
        for other in ["a", "я", "龥", "😀"] {
            for (flaw, before) in flaws.iter().flat_map(|flaw| (0..70).map(move |n| (flaw, n))) {
                for after in [0, 1, 40] {
                    let (start, end) = (other.repeat(before), other.repeat(after));
                    let text = [start.as_bytes(), flaw, end.as_bytes()].concat();
                    let expected = std::str::from_utf8(&text)
                        .map_err(|error| InvalidUtf8(error.valid_up_to() as u64))
                        .map(drop);
                    assert_eq!(validate(&text), expected, "{text:x?}");
                }
            }
        }
    }

    #[test]
    fn a_text_may_be_cut_anywhere() {
        for text in ["κόσμε𝄞€".repeat(9), "plain ".repeat(20), "龥😀".repeat(12)] {
            for end in 0..=text.len() {
                let cut = &text.as_bytes()[..end];
                assert_eq!(validate(cut).is_ok(), text.is_char_boundary(end), "{end} of {text}");
            }
        }
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "κόσμε𝄞€";
        for cut in 0..=text.len() {
            let mut validator = Utf8Validator::new();
            let (head, tail) = text.as_bytes().split_at(cut);
            assert_eq!(validator.feed(head), Ok(()));
            assert_eq!(validator.feed(tail), Ok(()));
            assert_eq!(validator.finish(), Ok(()));
        }
    }
}
