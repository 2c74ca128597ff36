//! Whatever text is there: entries go in, and come out to the same bytes. The first byte, `0` to `5`, chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/laws.rs"]
mod laws;

fuzz_target!(|data: &[u8]| {
    if let Some((digit, text)) = data.split_first() {
        let format = usize::from(digit.wrapping_sub(b'0'));
        laws::check(laws::FORMATS[format % laws::FORMATS.len()], text);
    }
});
