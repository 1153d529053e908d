//! Reads any text as a page token, which tells the service where the next page of a list starts. A token that decodes
//! is encoded to the same text again.
//!
//! The bytes also make a valid token, as the service issues it. It decodes to its parts, and with one character changed
//! it is rejected.

#![no_main]

use detente::services::page_token::{PageToken, QueryHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(token) = PageToken::decode(text)
    {
        assert_eq!(token.encode(), text);
    }

    let (number, rest) = take::<16>(bytes);
    let (position, rest) = take::<4>(rest);
    let ([at, character], query) = take::<2>(rest);
    let token = PageToken {
        revision: format!("{:032x}", u128::from_le_bytes(number)),
        query: QueryHash::of(&[query]),
        position: u32::from_le_bytes(position),
    };
    let text = token.encode();
    assert_eq!(PageToken::decode(&text).as_ref(), Ok(&token));

    let mut changed: Vec<char> = text.chars().collect();
    let at = usize::from(at) % changed.len();
    changed[at] = char::from(character);
    let changed: String = changed.into_iter().collect();
    assert_eq!(PageToken::decode(&changed).is_ok(), changed == text, "{changed} for {text}");
});

/// The first `N` bytes, padded with zeros if there are fewer, and the rest.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (first, rest) = bytes.split_at(bytes.len().min(N));
    let mut taken = [0; N];
    taken[..first.len()].copy_from_slice(first);
    (taken, rest)
}
