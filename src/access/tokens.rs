//! Bearer tokens from a YAML or JSON file, with one entry for each caller, stored as SHA-256 hashes. Must not know how
//! tokens arrive.

use crate::access::{Caller, CredentialFileError, MAX_SCENARIOS, Role};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use subtle::ConstantTimeEq;

/// Largest token file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Tokens in a file.
const MAX_TOKENS: usize = 10_000;
/// The longest name of a caller, in bytes.
const MAX_NAME_BYTES: usize = 64;

type Hash = [u8; 32];

/// The accepted tokens.
///
/// A token is looked up by a keyed hash of its SHA-256, so that the time of a lookup reveals nothing about the other tokens;
/// the entry found is compared in constant time.
pub struct Tokens {
    // The map's key is a hash with a secret random key. Two tokens rarely share one.
    callers: HashMap<u64, Vec<(Hash, Caller)>>,
    keyed: RandomState,
    count: usize,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("count", &self.count).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    caller: String,
    sha256: String,
    role: Role,
    /// Required, because a truncated file must never grant more than the whole file.
    scenarios: ScenarioScope,
}

/// The scenarios that a caller may see: the word `all`, or a list of ids.
#[derive(Deserialize)]
#[serde(untagged)]
enum ScenarioScope {
    Word(String),
    Ids(Vec<String>),
}

impl Tokens {
    /// Parses the file.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn read(text: &str) -> Result<Self, CredentialFileError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(CredentialFileError(format!("the file exceeds the limit of {MAX_FILE_BYTES} bytes")));
        }
        // The parser's message quotes lines of the file, which may contain a token by mistake: report the line number only.
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map_or_else(String::new, |at| format!("line {}: ", at.line()));
            CredentialFileError(format!(
                "{place}invalid token file; expected a list `tokens`, each entry with `caller`, `sha256`, `role` (reader or \
                 analyst) and `scenarios` (all, or a list of ids)"
            ))
        })?;
        if file.tokens.is_empty() {
            return Err(CredentialFileError("the file has no tokens".to_owned()));
        }
        if file.tokens.len() > MAX_TOKENS {
            return Err(CredentialFileError(format!(
                "the file has {} tokens; the limit is {MAX_TOKENS}",
                file.tokens.len()
            )));
        }
        let mut tokens = Self { callers: HashMap::new(), keyed: RandomState::new(), count: 0 };
        for (at, entry) in file.tokens.into_iter().enumerate() {
            let place = at + 1;
            let is_name_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            if !(1..=MAX_NAME_BYTES).contains(&entry.caller.len()) || !entry.caller.bytes().all(is_name_byte) {
                return Err(CredentialFileError(format!(
                    "token {place}: `caller` is not 1 to {MAX_NAME_BYTES} characters of a-z, 0-9, dots, hyphens and underscores"
                )));
            }
            let hash = hex(&entry.sha256).ok_or_else(|| {
                CredentialFileError(format!("token {place} ({}): `sha256` is not 64 hexadecimal digits", entry.caller))
            })?;
            // A script that fails to create a token hashes the empty string: `Bearer` without a token would then be accepted.
            if hash == <Hash>::from(Sha256::digest([])) {
                return Err(CredentialFileError(format!(
                    "token {place} ({}): `sha256` is the hash of an empty token",
                    entry.caller
                )));
            }
            if tokens.get(&hash).is_some() {
                return Err(CredentialFileError(format!(
                    "token {place} ({}): an earlier entry has the same token",
                    entry.caller
                )));
            }
            let scenarios = match entry.scenarios {
                ScenarioScope::Word(word) if word == "all" => None,
                ScenarioScope::Ids(ids) => Some(crate::access::parse_scenario_ids(&ids).unwrap_or_default()),
                _ => Some(BTreeSet::new()),
            };
            if scenarios.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(CredentialFileError(format!(
                    "token {place} ({}): `scenarios` is neither `all` nor a list of 1 to {MAX_SCENARIOS} ids, such as `[ukraine-2025]`",
                    entry.caller
                )));
            }
            tokens.insert(hash, Caller::new(&entry.caller, entry.role, scenarios, None));
        }
        Ok(tokens)
    }

    /// Returns the number of tokens.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the caller to whom a token belongs.
    pub fn find(&self, token: &[u8]) -> Option<Caller> {
        self.get(&Sha256::digest(token).into()).cloned()
    }

    /// Takes the place of `before`: callers whose token and rights are unchanged stay valid, and the credentials of all others
    /// are revoked.
    pub(super) fn replacing(mut self, before: &Self) -> Self {
        for (hash, caller) in before.callers.values().flatten() {
            let now = self.get_mut(hash).filter(|now| now.has_rights_of(caller));
            match now {
                Some(now) => *now = caller.clone(),
                None => caller.revoke(),
            }
        }
        self
    }

    fn insert(&mut self, hash: Hash, caller: Caller) {
        self.callers.entry(self.keyed.hash_one(hash)).or_default().push((hash, caller));
        self.count += 1;
    }

    fn get(&self, hash: &Hash) -> Option<&Caller> {
        let found = self.callers.get(&self.keyed.hash_one(hash))?;
        found.iter().find(|(known, _)| bool::from(known.ct_eq(hash))).map(|(_, caller)| caller)
    }

    fn get_mut(&mut self, hash: &Hash) -> Option<&mut Caller> {
        let found = self.callers.get_mut(&self.keyed.hash_one(hash))?;
        found.iter_mut().find(|(known, _)| bool::from(known.ct_eq(hash))).map(|(_, caller)| caller)
    }
}

fn hex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
