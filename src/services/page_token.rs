//! Page tokens, each of which contains the position at which the next page of a list begins, the revision to which the
//! list belongs, and the hash of the list's query.
//!
//! A token is self-contained: any replica that has the revision can continue the list. The checksum detects
//! accidental changes. It does not authenticate a token, because a forged token gives access to nothing that a request
//! without a token does not. Must not know what is listed.

use crate::error::ApiError;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;
const TOKEN_BYTES: usize = 1 + HASH_BYTES + HASH_BYTES + 4 + CHECKSUM_BYTES;

/// Number of items on a page if the request does not say how many.
pub const DEFAULT_PAGE_SIZE: usize = 50;
/// Maximum number of items on a page.
pub const MAX_PAGE_SIZE: usize = 1_000;
/// Maximum bytes of items on a page. A larger item is on a page of its own.
///
/// The maximum leaves room for the rest of the response: gRPC clients accept messages of 4 MiB by default.
pub const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

/// The hash of a list's query: method, parent, filter and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryHash([u8; HASH_BYTES]);

impl QueryHash {
    /// Hashes the parts. The length of each part is hashed too, so that parts cannot run into each other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(first_bytes(&hash.finalize()))
    }
}

/// A position in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    /// The revision of the scenario or of the list of scenarios: 32 hexadecimal digits.
    pub revision: String,
    /// The hash of the list's query.
    pub query: QueryHash,
    /// Number of items on the previous pages.
    pub position: u32,
}

impl PageToken {
    /// Encodes the token as base64url text.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.push(VERSION);
        bytes.extend(from_hex(&self.revision).unwrap_or_default());
        bytes.extend(self.query.0);
        bytes.extend(self.position.to_le_bytes());
        bytes.extend(checksum(&bytes));
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Decodes a token.
    ///
    /// # Errors
    /// [`ApiError::PageTokenInvalid`] if the text is not a token of this version with the right checksum.
    pub fn decode(text: &str) -> Result<Self, ApiError> {
        Self::read(text).ok_or(ApiError::PageTokenInvalid)
    }

    fn read(text: &str) -> Option<Self> {
        // Rejects long texts before the work of decoding them.
        if text.len() > TOKEN_BYTES * 2 {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if *sum != checksum(content) {
            return None;
        }
        let (version, rest) = content.split_first()?;
        let (revision, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
        let (query, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
        let position = u32::from_le_bytes(rest.try_into().ok()?);
        (*version == VERSION).then(|| Self { revision: to_hex(revision), query: QueryHash(*query), position })
    }
}

/// Returns the number of items on a page for a requested size: 0 means 50, and the maximum is 1,000.
///
/// `None` if the size is negative.
pub fn page_size(asked: i32) -> Option<usize> {
    match usize::try_from(asked).ok()? {
        0 => Some(DEFAULT_PAGE_SIZE),
        size => Some(size.min(MAX_PAGE_SIZE)),
    }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    first_bytes(&Sha256::digest(content))
}

fn first_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn from_hex(digits: &str) -> Option<[u8; HASH_BYTES]> {
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

fn to_hex(bytes: &[u8; HASH_BYTES]) -> String {
    HEXLOWER.encode(bytes)
}
