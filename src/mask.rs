//! Masking (RFC 6455 §5.3).

/// A masking key: the four bytes that a payload is combined with by exclusive or, again and again.
pub type Key = [u8; 4];

/// Mask or unmask `data` in place.
#[inline]
pub fn in_place(data: &mut [u8], key: Key) {
    let wide = widen(key);
    let (words, tail) = data.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Write `source`, masked, over `target`: one pass instead of a copy and a mask.
///
/// # Panics
/// If the two differ in length.
#[inline]
pub fn copy(target: &mut [u8], source: &[u8], key: Key) {
    assert_eq!(target.len(), source.len(), "masking copies whole payloads");
    #[cfg(target_arch = "x86_64")]
    if source.len() >= WIDE && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { copy_avx2(target, source, key) };
    }
    copy_words(target, source, key);
}

/// From this size on, wider registers pay for asking whether there are any.
#[cfg(target_arch = "x86_64")]
const WIDE: usize = 128;

/// Half the instructions of what every x86-64 has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn copy_avx2(target: &mut [u8], source: &[u8], key: Key) {
    copy_words(target, source, key);
}

#[expect(clippy::inline_always, reason = "each caller compiles it for another processor")]
#[inline(always)]
fn copy_words(target: &mut [u8], source: &[u8], key: Key) {
    let wide = widen(key);
    let (to, to_tail) = target.as_chunks_mut::<8>();
    let (from, from_tail) = source.as_chunks::<8>();
    // The compiler turns this loop into vector code; no intrinsics are needed.
    for (to, from) in to.iter_mut().zip(from) {
        *to = (u64::from_ne_bytes(*from) ^ wide).to_ne_bytes();
    }
    for ((to, from), key) in to_tail.iter_mut().zip(from_tail).zip(key.iter().cycle()) {
        *to = from ^ key;
    }
}

/// Eight bytes of key: the tail of a payload starts at a multiple of eight, hence of four.
#[inline]
fn widen([a, b, c, d]: Key) -> u64 {
    u64::from_ne_bytes([a, b, c, d, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn naive(data: &[u8], key: Key) -> Vec<u8> {
        data.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    proptest! {
        #[test]
        fn equal_the_naive_reference(
            data in vec(any::<u8>(), 0..600), offset in 0..16usize, key: Key,
        ) {
            // An offset moves the slice over every alignment.
            let data = &data[offset.min(data.len())..];
            let expected = naive(data, key);
            let mut copied = vec![0; data.len()];
            copy(&mut copied, data, key);
            prop_assert_eq!(&copied, &expected);
            let mut masked = data.to_vec();
            in_place(&mut masked, key);
            prop_assert_eq!(&masked, &expected);
            in_place(&mut masked, key);
            prop_assert_eq!(masked, data);
        }
    }
}
