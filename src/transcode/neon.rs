//! What `blocks` needs of an ARM processor: NEON, which each with 64 bits has.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vcgtq_s8, vdupq_n_s8, vgetq_lane_u64, vpaddq_u8, vqtbl1q_u8,
    vreinterpretq_s8_u8, vreinterpretq_u64_u8,
};
use std::mem;

fn vector(bytes: [u8; 16]) -> uint8x16_t {
    // SAFETY: both are 16 bytes, of which all values are valid.
    unsafe { mem::transmute(bytes) }
}

/// Which of 64 bytes begin a character, the first byte being the lowest bit.
#[target_feature(enable = "neon")]
#[inline]
pub fn starts(bytes: &[u8; 64]) -> u64 {
    let bits = vector([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
    let parts = bytes.as_chunks::<16>().0;
    let [a, b, c, d] = [parts[0], parts[1], parts[2], parts[3]].map(|part| {
        // As signed numbers, bytes that continue a character are the lowest.
        vandq_u8(vcgtq_s8(vreinterpretq_s8_u8(vector(part)), vdupq_n_s8(-65)), bits)
    });
    // Adding neighbours three times brings eight bits together in a byte.
    let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

/// The bytes in another order; 0 where that is above 15.
#[target_feature(enable = "neon")]
#[inline]
pub fn shuffle(bytes: [u8; 16], order: [u8; 16]) -> [u8; 16] {
    // SAFETY: both are 16 bytes, of which all values are valid.
    unsafe { mem::transmute(vqtbl1q_u8(vector(bytes), vector(order))) }
}
