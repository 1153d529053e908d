//! Bearer tokens from a file: YAML (or JSON), one entry a caller, hashed.

use crate::access::{Caller, MAX_SCENARIOS, Role, Unusable};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use subtle::ConstantTimeEq;

/// The largest file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The most tokens.
const MAX_TOKENS: usize = 10_000;
/// The longest name of a caller, in bytes.
const MAX_NAME_BYTES: usize = 64;

type Hash = [u8; 32];

/// The tokens that are accepted.
///
/// A token is found by a keyed hash of its SHA-256, so that its time tells nothing of those there are, however many;
/// the one that is found is compared in constant time.
pub struct Tokens {
    // By a hash with a key that nobody knows. Rarely two share one.
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
    /// Required, so that half of a file never says more than all of it.
    scenarios: Seen,
}

/// What a caller may see: the word `all`, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seen {
    Word(String),
    Ids(Vec<String>),
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// The first fault.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        if text.len() > MAX_FILE_BYTES {
            return Err(Unusable(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        // The parser quotes lines of the file, in which a token may stand by mistake: only the place is told.
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map_or_else(String::new, |at| format!("line {}: ", at.line()));
            Unusable(format!(
                "{place}not as it should be: `tokens:` is a list with `caller`, `sha256`, `role` (reader or \
                 analyst) and `scenarios` (all, or a list of ids) of each"
            ))
        })?;
        if file.tokens.is_empty() {
            return Err(Unusable("it has no token".to_owned()));
        }
        if file.tokens.len() > MAX_TOKENS {
            return Err(Unusable(format!("it has {} tokens; at most {MAX_TOKENS} are read", file.tokens.len())));
        }
        let mut tokens = Self { callers: HashMap::new(), keyed: RandomState::new(), count: 0 };
        for (at, entry) in file.tokens.into_iter().enumerate() {
            let place = at + 1;
            let fit = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            if !(1..=MAX_NAME_BYTES).contains(&entry.caller.len()) || !entry.caller.bytes().all(fit) {
                return Err(Unusable(format!(
                    "token {place}: a caller is called by 1 to {MAX_NAME_BYTES} of a-z, 0-9, dots, hyphens and underscores"
                )));
            }
            let hash = hex(&entry.sha256).ok_or_else(|| {
                Unusable(format!("token {place} ({}): `sha256` is 64 hexadecimal digits", entry.caller))
            })?;
            // What is left where a token could not be made: `Bearer` and nothing would be let in by it.
            if hash == <Hash>::from(Sha256::digest([])) {
                return Err(Unusable(format!("token {place} ({}): `sha256` is that of an empty token", entry.caller)));
            }
            if tokens.get(&hash).is_some() {
                return Err(Unusable(format!("token {place} ({}): the same token stands before", entry.caller)));
            }
            let scenarios = match entry.scenarios {
                Seen::Word(word) if word == "all" => None,
                Seen::Ids(ids) => Some(crate::access::confined(&ids).unwrap_or_default()),
                _ => Some(BTreeSet::new()),
            };
            if scenarios.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(Unusable(format!(
                    "token {place} ({}): `scenarios` is `all`, or a list of up to {MAX_SCENARIOS} ids like `[ukraine-2025]`",
                    entry.caller
                )));
            }
            tokens.insert(hash, Caller::new(&entry.caller, entry.role, scenarios, None));
        }
        Ok(tokens)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whose token it is.
    pub fn find(&self, token: &[u8]) -> Option<Caller> {
        self.get(&Sha256::digest(token).into()).cloned()
    }

    /// The same tokens, in place of `before`: who is still there goes on as who they were, and the others' credentials
    /// are taken back.
    pub(super) fn instead_of(mut self, before: &Self) -> Self {
        for (hash, caller) in before.callers.values().flatten() {
            let now = self.get_mut(hash).filter(|now| now.is_like(caller));
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
