//! UTF-8 to two-byte units by byte shuffles: twelve bytes at a time, whatever the mixture of
//! characters of one, two and three bytes, without a branch for each.

use std::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmplt_epi8, _mm_cvtsi128_si64, _mm_movemask_epi8, _mm_or_si128,
    _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm_shuffle_epi8,
    _mm_srli_epi16, _mm_srli_epi32, _mm_unpackhi_epi64,
};
use std::array;

/// How the characters at the start of twelve bytes are taken apart.
#[derive(Clone, Copy)]
struct Step {
    /// Index into `SHUFFLES`; those from `WIDE` on are for four characters of up to three bytes,
    /// those below for six of up to two.
    shuffle: u8,
    /// Bytes that the characters take; 0 if one of them is longer.
    bytes: u8,
}

const WIDE: usize = 1 << 6;
const PATTERNS: usize = WIDE + 3usize.pow(4);

/// By the bits that tell which of twelve bytes end a character, the first byte being the lowest.
static STEPS: [Step; 1 << 12] = {
    let mut steps = [Step { shuffle: 0, bytes: 0 }; 1 << 12];
    let mut ends = 0;
    while ends < steps.len() {
        steps[ends] = step(ends);
        ends += 1;
    }
    steps
};

/// More than there are patterns, so that no index is out of bounds.
static SHUFFLES: [[u8; 16]; 256] = {
    let mut shuffles = [[0x80; 16]; 256];
    let mut pattern = 0;
    while pattern < PATTERNS {
        shuffles[pattern] = shuffle(pattern);
        pattern += 1;
    }
    shuffles
};

/// The lengths of the first characters, up to six, and how many of them end within the bits.
const fn lengths(ends: usize) -> ([usize; 6], usize) {
    let (mut lengths, mut count, mut start, mut byte) = ([0; 6], 0, 0, 0);
    while byte < 12 && count < 6 {
        if ends >> byte & 1 == 1 {
            lengths[count] = byte + 1 - start;
            count += 1;
            start = byte + 1;
        }
        byte += 1;
    }
    (lengths, count)
}

/// The pattern whose digits are the first `count` lengths, less one, and the sum of the lengths;
/// `None` if there are not so many or one is above `base`.
const fn pattern(ends: usize, count: usize, base: usize) -> Option<(usize, usize)> {
    let (lengths, found) = lengths(ends);
    if found < count {
        return None;
    }
    let (mut pattern, mut bytes, mut index) = (0, 0, count);
    while index > 0 {
        index -= 1;
        if lengths[index] > base {
            return None;
        }
        pattern = pattern * base + lengths[index] - 1;
        bytes += lengths[index];
    }
    Some((pattern, bytes))
}

#[expect(clippy::cast_possible_truncation, reason = "at most 144 patterns of at most 12 bytes")]
const fn step(ends: usize) -> Step {
    if let Some((pattern, bytes)) = pattern(ends, 6, 2) {
        return Step { shuffle: pattern as u8, bytes: bytes as u8 };
    }
    match pattern(ends, 4, 3) {
        Some((pattern, bytes)) => Step { shuffle: (WIDE + pattern) as u8, bytes: bytes as u8 },
        None => Step { shuffle: 0, bytes: 0 },
    }
}

/// Where each byte of each lane comes from: the last byte of its character, then those before it.
#[expect(clippy::cast_possible_truncation, reason = "of twelve bytes")]
const fn shuffle(pattern: usize) -> [u8; 16] {
    let (mut digits, base, lanes) =
        if pattern < WIDE { (pattern, 2, 6) } else { (pattern - WIDE, 3, 4) };
    let width = if pattern < WIDE { 2 } else { 4 };
    let (mut shuffle, mut start, mut lane) = ([0x80; 16], 0, 0);
    while lane < lanes {
        let length = digits % base + 1;
        digits /= base;
        let mut byte = 0;
        while byte < length {
            shuffle[lane * width + byte] = (start + length - 1 - byte) as u8;
            byte += 1;
        }
        start += length;
        lane += 1;
    }
    shuffle
}

#[target_feature(enable = "ssse3")]
fn load(bytes: [u8; 16]) -> __m128i {
    let (low, high) = (bytes.as_chunks::<8>().0[0], bytes.as_chunks::<8>().0[1]);
    _mm_set_epi64x(i64::from_le_bytes(high), i64::from_le_bytes(low))
}

#[target_feature(enable = "ssse3")]
#[expect(clippy::cast_possible_truncation, reason = "a lane has 16 bits")]
fn store(lanes: __m128i, out: &mut [u16; 8]) {
    let halves = [_mm_cvtsi128_si64(lanes), _mm_cvtsi128_si64(_mm_unpackhi_epi64(lanes, lanes))];
    for (part, half) in out.as_chunks_mut::<4>().0.iter_mut().zip(halves) {
        *part = array::from_fn(|lane| (half.cast_unsigned() >> (16 * lane)) as u16);
    }
}

/// Write characters from the start of `text` over `out` while there are 16 bytes and room for
/// eight, and none has more than three bytes. Returns how many bytes were read and units written.
#[target_feature(enable = "ssse3")]
pub fn write(text: &[u8], out: &mut [u16]) -> (usize, usize) {
    let (mut rest, mut free) = (text, &mut *out);
    while let (Some(bytes), Some(room)) = (rest.first_chunk::<16>(), free.first_chunk_mut::<8>()) {
        let bytes = load(*bytes);
        let continuations = _mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(-64)));
        // A character ends before the next one's first byte.
        let step = STEPS[(!(continuations >> 1) & 0xFFF).cast_unsigned() as usize];
        if step.bytes == 0 {
            break;
        }
        let lanes = _mm_shuffle_epi8(bytes, load(SHUFFLES[usize::from(step.shuffle)]));
        rest = &rest[usize::from(step.bytes & 0xF)..];
        if usize::from(step.shuffle) < WIDE {
            let last = _mm_and_si128(lanes, _mm_set1_epi16(0x7F));
            let first = _mm_and_si128(lanes, _mm_set1_epi16(0x1F00));
            store(_mm_or_si128(last, _mm_srli_epi16::<2>(first)), room);
            free = &mut free[6..];
        } else {
            let last = _mm_and_si128(lanes, _mm_set1_epi32(0x7F));
            let middle = _mm_and_si128(lanes, _mm_set1_epi32(0x3F00));
            let first = _mm_and_si128(lanes, _mm_set1_epi32(0x0F_0000));
            let whole = _mm_or_si128(_mm_srli_epi32::<2>(middle), _mm_srli_epi32::<4>(first));
            let pick = load([0, 1, 4, 5, 8, 9, 12, 13, 128, 128, 128, 128, 128, 128, 128, 128]);
            store(_mm_shuffle_epi8(_mm_or_si128(last, whole), pick), room);
            free = &mut free[4..];
        }
    }
    let free = free.len();
    (text.len() - rest.len(), out.len() - free)
}
