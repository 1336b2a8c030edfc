//! What `tests/endpoint` does, from bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient_fuzz::play::{Setting, Step, play};

fuzz_target!(|input: (u32, Vec<(u8, u16, u16)>)| {
    let (setting, numbers) = input;
    let steps: Vec<Step> = numbers.into_iter().map(|(a, b, c)| Step::of(a, b, c)).collect();
    play(Setting::of(setting), &steps);
});
