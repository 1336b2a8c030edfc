//! What `blocks` needs of an x86-64 processor: SSSE3, which all but the very first have.

use std::arch::x86_64::{
    __m128i, _mm_cmpgt_epi8, _mm_movemask_epi8, _mm_set1_epi8, _mm_shuffle_epi8,
};
use std::mem;

fn vector(bytes: [u8; 16]) -> __m128i {
    // SAFETY: both are 16 bytes, of which all values are valid.
    unsafe { mem::transmute(bytes) }
}

/// Which of 64 bytes begin a character, the first byte being the lowest bit.
#[target_feature(enable = "ssse3")]
#[inline]
pub fn starts(bytes: &[u8; 64]) -> u64 {
    let mut starts = 0;
    for part in bytes.as_chunks::<16>().0.iter().rev() {
        // As signed numbers, bytes that continue a character are the lowest.
        let part = _mm_cmpgt_epi8(vector(*part), _mm_set1_epi8(-65));
        starts = starts << 16 | u64::from(_mm_movemask_epi8(part).cast_unsigned());
    }
    starts
}

/// The bytes in another order; 0 where that is above 127.
#[target_feature(enable = "ssse3")]
#[inline]
pub fn shuffle(bytes: [u8; 16], order: [u8; 16]) -> [u8; 16] {
    // SAFETY: both are 16 bytes, of which all values are valid.
    unsafe { mem::transmute(_mm_shuffle_epi8(vector(bytes), vector(order))) }
}
