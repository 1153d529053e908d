//! The room that the headers of a status have on their way to the client.
//!
//! Owns the sizes that proxies and clients accept by default. Must not know which errors there are.

use std::borrow::Cow;

/// Maximum size of all headers of a response that carries a status, in bytes.
///
/// As in HTTP/2, a header counts with its name, its value and 32 bytes more (RFC 9113, section 6.5.2). nginx has the
/// lowest default limit: it reads the headers of a response into one buffer of 4 KiB (`grpc_buffer_size`), together
/// with the first HTTP/2 frames of a connection, and answers 502 if they do not fit. gRPC clients show a 502 as
/// UNAVAILABLE, and retry the call. The rest of the buffer is for these frames and for headers that a proxy in between
/// adds. gRPC's C core accepts 8 KiB, HAProxy 15 KiB, Envoy 60 KiB.
pub const MAX_STATUS_BYTES: usize = 3_500;

/// Maximum size of the header `grpc-message`, percent-encoded, in bytes.
///
/// The details repeat the message, so a longer one would leave little room for faults.
pub const MAX_MESSAGE_BYTES: usize = 512;

/// Longest value of `x-request-id` for which a status leaves room, in bytes.
pub(crate) const MAX_REQUEST_ID_BYTES: usize = 128;

/// The bytes that HTTP/2 counts for a header besides its name and its value.
const AROUND_HEADER: usize = 32;

/// The headers of a response with a status, except the message and the details. Each value has its maximum size.
const OTHER_HEADERS: usize = header(":status", 3)
    + header("content-type", "application/grpc".len())
    + header("x-request-id", MAX_REQUEST_ID_BYTES)
    + header("grpc-status", 2)
    + header("grpc-retry-pushback-ms", 4);

/// The mark at the end of a message that was shortened.
const SHORTENED: &str = "...";

/// Returns a message that fits into `grpc-message`: the whole text, or its beginning and `...`.
pub(crate) fn shortened(message: &str) -> Cow<'_, str> {
    if encoded_bytes(message) <= MAX_MESSAGE_BYTES {
        return Cow::Borrowed(message);
    }
    let mut room = MAX_MESSAGE_BYTES - SHORTENED.len();
    let fitting = message.chars().take_while(|character| {
        let left = room.checked_sub(encoded_character_bytes(*character));
        room = left.unwrap_or(room);
        left.is_some()
    });
    Cow::Owned(fitting.chain(SHORTENED.chars()).collect())
}

/// Returns the maximum size of a status's details, in bytes before base64, beside this message.
pub(super) fn room_for_details(message: &str) -> usize {
    let used = OTHER_HEADERS + header("grpc-message", encoded_bytes(message)) + header("grpc-status-details-bin", 0);
    // Base64 without padding writes three bytes as four characters.
    MAX_STATUS_BYTES.saturating_sub(used) / 4 * 3
}

const fn header(name: &str, value_bytes: usize) -> usize {
    name.len() + value_bytes + AROUND_HEADER
}

/// Returns the size of a message in the percent-encoding of gRPC.
fn encoded_bytes(message: &str) -> usize {
    message.chars().map(encoded_character_bytes).sum()
}

/// gRPC lets printable ASCII except `%` stand for itself, and writes every other byte as `%` and two digits.
fn encoded_character_bytes(character: char) -> usize {
    match character {
        ' '..='~' if character != '%' => 1,
        _ => 3 * character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_shortened_between_characters_when_they_exceed_the_limit_encoded() {
        for (whole, longer) in [
            ("a".repeat(512), "a".repeat(513)),
            // 170 escapes of three bytes, and two plain characters.
            ("%".repeat(170) + "ab", "%".repeat(171)),
            ("é".repeat(85) + "ab", "é".repeat(86)),
            ("語".repeat(56) + "12345678", "語".repeat(57)),
            ("\u{10ffff}".repeat(42) + "12345678", "\u{10ffff}".repeat(43)),
        ] {
            assert_eq!(encoded_bytes(&whole), MAX_MESSAGE_BYTES);
            assert_eq!(shortened(&whole), whole);
            for long in [longer, format!("{whole}a"), whole.repeat(9)] {
                let short = shortened(&long);
                let kept = short.strip_suffix(SHORTENED).unwrap();
                assert!(long.starts_with(kept) && encoded_bytes(&short) <= MAX_MESSAGE_BYTES, "{short}");
                let next = long[kept.len()..].chars().next().unwrap();
                assert!(encoded_bytes(&short) + encoded_character_bytes(next) > MAX_MESSAGE_BYTES, "{short}");
            }
        }
    }

    #[test]
    fn the_longest_message_leaves_room_for_details() {
        let room = room_for_details(&"a".repeat(MAX_MESSAGE_BYTES));
        assert!(room > 1_700, "{room}");
        assert!(room_for_details("") > room);
    }
}
