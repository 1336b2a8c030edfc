//! UTF-8 by shuffles of bytes: twelve at a time, whatever the mixture of characters, without a branch
//! for each. After Lemire and Muła, "Transcoding billions of Unicode characters per second" (2022).

use std::array;

use super::Unit;
#[cfg(target_arch = "aarch64")]
use super::neon::{shuffle, starts};
use super::steps::{ASCII, FOUR, ORDERS, SIX, STEPS};
#[cfg(target_arch = "x86_64")]
use super::x86_64::{shuffle, starts};

/// A step begins in the first 53 of these bytes, and loads 16.
const BLOCK: usize = 80;
/// Room for a step's units, and what it writes beyond them.
const ROOM: usize = 16;

/// [`super::write`] for ARM processors with NEON.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
pub fn write_neon<U: Unit>(text: &str, out: &mut [U]) {
    // SAFETY: who calls this has asked the processor.
    unsafe { write(text.as_bytes(), out) }
}

/// [`super::write`] for x86-64 processors with SSSE3.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "ssse3")]
pub fn write_ssse3<U: Unit>(text: &str, out: &mut [U]) {
    // SAFETY: who calls this has asked the processor.
    unsafe { write(text.as_bytes(), out) }
}

/// The same with wider registers, and fewer instructions for what the narrow ones hold.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub fn write_avx2<U: Unit>(text: &str, out: &mut [U]) {
    // SAFETY: who calls this has asked the processor.
    unsafe { write(text.as_bytes(), out) }
}

/// Write all characters of a text that is UTF-8 over `out`, which has as many units.
///
/// # Panics
/// If it has not.
///
/// # Safety
/// The processor has what `shuffle` and `starts` are compiled for.
#[expect(clippy::inline_always, reason = "each caller compiles it for another processor")]
#[inline(always)]
unsafe fn write<U: Unit>(text: &[u8], out: &mut [U]) {
    // SAFETY: the caller's promise.
    let (read, written) = unsafe { blocks(text, out) };
    let (rest, free) = (&text[read..], &mut out[written..]);
    if free.is_empty() {
        return;
    }
    // The end, with room on both sides.
    let (mut bytes, mut units) = ([0; 64 + BLOCK], [U::of(0); BLOCK + ROOM]);
    bytes[..rest.len()].copy_from_slice(rest);
    // What follows the last character finds no room.
    let room = &mut units[..free.len() + ROOM - 1];
    // SAFETY: the caller's promise.
    unsafe { blocks(&bytes, room) };
    free.copy_from_slice(&units[..free.len()]);
}

/// Write characters while there are 80 bytes, and room for what a step writes; returns bytes read,
/// units written.
///
/// # Safety
/// The processor has what `shuffle` and `starts` are compiled for.
#[expect(clippy::inline_always, reason = "each caller compiles it for another processor")]
#[inline(always)]
unsafe fn blocks<U: Unit>(text: &[u8], out: &mut [U]) -> (usize, usize) {
    let (mut rest, mut free) = (text, &mut *out);
    while let Some(bytes @ [_, next @ ..]) = rest.first_chunk::<BLOCK>()
        && free.len() >= ROOM
    {
        // A character ends before the next one starts.
        // SAFETY: the caller's promise.
        let mut ends = next.first_chunk().map_or(0, |bytes| unsafe { starts(bytes) });
        if ends == u64::MAX
            && let Some(units) = free.first_chunk_mut::<64>()
        {
            for (unit, byte) in units.iter_mut().zip(bytes) {
                *unit = U::of(u32::from(*byte));
            }
            rest = &rest[64..];
            free = &mut free[64..];
            continue;
        }
        let mut read = 0;
        while read <= 52
            && let Some(units) = free.first_chunk_mut::<ROOM>()
        {
            let step = STEPS[(ends & 0xFFF) as usize];
            let window = array::from_fn(|byte| bytes[read + byte]);
            // SAFETY: the caller's promise.
            let written = unsafe { take(window, step.order, units) };
            ends >>= step.bytes;
            read += usize::from(step.bytes);
            free = &mut free[written..];
        }
        rest = &rest[read..];
    }
    let (rest, free) = (rest.len(), free.len());
    (text.len() - rest, out.len() - free)
}

/// Write the characters at the start of a window; returns how many they are.
///
/// # Safety
/// The processor has what `shuffle` and `starts` are compiled for.
#[expect(clippy::inline_always, reason = "each caller compiles it for another processor")]
#[inline(always)]
unsafe fn take<U: Unit>(window: [u8; 16], order: u8, units: &mut [U; ROOM]) -> usize {
    // SAFETY: the caller's promise.
    let lanes = unsafe { shuffle(window, ORDERS[usize::from(order)]) };
    if order < SIX {
        put(units, words(lanes).map(|lane| lane & 0x7F | (lane & 0x1F00) >> 2));
        6
    } else if order == ASCII {
        put(units, window);
        12
    } else if order < FOUR {
        let whole = |lane| lane & 0x7F | (lane & 0x3F00) >> 2 | (lane & 0x0F_0000) >> 4;
        put(units, longs(lanes).map(whole));
        4
    } else {
        // Of the first byte of three, one bit too many is taken, which the next one tells.
        let third = |lane| (lane & 0x3F_0000) >> 4 ^ (lane & 0x40_0000) >> 5;
        let others = |lane| lane & 0x7F | (lane & 0x3F00) >> 2 | (lane & 0x0700_0000) >> 6;
        put(units, longs(lanes).map(|lane| third(lane) | others(lane)));
        3
    }
}

fn words(bytes: [u8; 16]) -> [u16; 8] {
    array::from_fn(|lane| u16::from_le_bytes([bytes[2 * lane], bytes[2 * lane + 1]]))
}

fn longs(bytes: [u8; 16]) -> [u32; 4] {
    let (parts, _) = bytes.as_chunks::<4>();
    array::from_fn(|lane| u32::from_le_bytes(parts[lane]))
}

fn put<U: Unit, L: Into<u32>, const N: usize>(units: &mut [U; ROOM], lanes: [L; N]) {
    for (unit, lane) in units.iter_mut().zip(lanes) {
        *unit = U::of(lane.into());
    }
}
