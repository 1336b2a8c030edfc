//! UTF-8 is what the standard library takes for it, cut anywhere, and its characters come out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wsclient::transcode::{self, Unit, Width};
use wsclient::utf8::{self, InvalidUtf8, Utf8Validator};
use wsclient_fuzz::cut;

fn written<U: Unit + Default + Into<u32>>(text: &str, length: usize) -> Vec<u32> {
    let mut out = vec![U::default(); length];
    transcode::write(text, &mut out);
    out.into_iter().map(Into::into).collect()
}

fuzz_target!(|input: (Vec<u16>, &[u8])| {
    let (cuts, bytes) = input;
    let expected = std::str::from_utf8(bytes);
    let offset = expected.err().map(|error| InvalidUtf8(error.valid_up_to() as u64));
    assert_eq!(utf8::validate(bytes).err(), offset);

    let mut validator = Utf8Validator::new();
    let mut verdict = Ok(());
    let mut seen = 0;
    for piece in cut(bytes, &cuts) {
        seen += piece.len();
        verdict = validator.feed(piece);
        // Refused at once, and not before: what could still become text is waited for.
        let so_far = std::str::from_utf8(&bytes[..seen]);
        assert_eq!(verdict.is_err(), so_far.is_err_and(|error| error.error_len().is_some()));
        if verdict.is_err() {
            break;
        }
    }
    assert_eq!(verdict.and_then(|()| validator.finish()).err(), offset);

    let Ok(text) = expected else { return };
    let characters: Vec<u32> = text.chars().map(u32::from).collect();
    let (length, width) = transcode::measure(text);
    assert_eq!(length, characters.len());
    assert_eq!(
        width,
        match characters.iter().max().copied().unwrap_or(0) {
            0..0x80 => Width::Ascii,
            0x80..0x100 => Width::Latin1,
            0x100..0x1_0000 => Width::Ucs2,
            _ => Width::Ucs4,
        }
    );
    match width {
        Width::Ascii | Width::Latin1 => assert_eq!(written::<u8>(text, length), characters),
        Width::Ucs2 => assert_eq!(written::<u16>(text, length), characters),
        Width::Ucs4 => assert_eq!(written::<u32>(text, length), characters),
    }
});
