//! Bearer tokens from a file: YAML (or JSON), one entry a caller, hashed.

use crate::access::{Caller, MAX_SCENARIOS, Role, Unusable};
use data_encoding::HEXLOWER_PERMISSIVE;
use detente_core::scenario::yaml::{Document, Value};
use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use subtle::ConstantTimeEq;

/// The largest file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The most tokens.
const MAX_TOKENS: usize = 10_000;
/// The most values, keys and lists included.
const MAX_VALUES: usize = 250_000;
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

/// An entry of the file. Every key is required, so that half of a file never says more than all of it.
struct Entry<'a> {
    caller: &'a str,
    sha256: &'a str,
    role: Role,
    scenarios: Seen<'a>,
}

/// What a caller may see: the word `all`, or a list.
enum Seen<'a> {
    Word(&'a str),
    Ids(Vec<&'a str>),
}

impl<'a> Entry<'a> {
    fn read(entry: Value<'a>) -> Result<Self, Unusable> {
        let [caller, sha256, role, scenarios] =
            entry.fields(["caller", "sha256", "role", "scenarios"]).map_err(malformed)?;
        let word = role.text().ok_or_else(|| malformed(role.line()))?;
        let word = IntoDeserializer::<value::Error>::into_deserializer(word);
        let role = Role::deserialize(word).map_err(|_| malformed(role.line()))?;
        let scenarios = match scenarios.items() {
            Some(ids) => Seen::Ids(ids.map(|id| name(id, id.text())).collect::<Result<_, _>>()?),
            None => Seen::Word(scenarios.text().ok_or_else(|| malformed(scenarios.line()))?),
        };
        // A caller or a hash may happen to be made of digits.
        let sha256 = sha256.scalar().ok_or_else(|| malformed(sha256.line()))?;
        Ok(Self { caller: name(caller, caller.scalar())?, sha256, role, scenarios })
    }
}

/// A caller or a scenario. The beginning of a name may be another's name, so none is read from a file that was cut off
/// within it: rights would be granted that the whole file does not grant.
fn name<'a>(value: Value<'a>, written: Option<&'a str>) -> Result<&'a str, Unusable> {
    if value.may_be_cut_off() {
        return Err(Unusable(format!(
            "line {}: the file ends within a name, so part of the file may be missing; end the last line with a line \
             break",
            value.line()
        )));
    }
    written.ok_or_else(|| malformed(value.line()))
}

fn malformed(line: usize) -> Unusable {
    Unusable(format!(
        "line {line}: not as it should be: `tokens:` is a list with `caller`, `sha256`, `role` (reader or analyst) and \
         `scenarios` (all, or a list of ids) of each"
    ))
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
        // The parser's own messages quote the file, in which a token may stand by mistake: only the line is shown.
        let document = Document::read("", text, MAX_VALUES)
            .map_err(|faults| malformed(faults.list().first().map_or(1, |fault| fault.line)))?;
        let [list] = document.root().fields(["tokens"]).map_err(malformed)?;
        let entries = list.items().ok_or_else(|| malformed(list.line()))?;
        let entries = entries.map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err(Unusable("it has no token".to_owned()));
        }
        if entries.len() > MAX_TOKENS {
            return Err(Unusable(format!("it has {} tokens; at most {MAX_TOKENS} are read", entries.len())));
        }
        let mut tokens = Self { callers: HashMap::new(), keyed: RandomState::new(), count: 0 };
        for (at, entry) in entries.into_iter().enumerate() {
            let place = at + 1;
            let fit = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            if !(1..=MAX_NAME_BYTES).contains(&entry.caller.len()) || !entry.caller.bytes().all(fit) {
                return Err(Unusable(format!(
                    "token {place}: a caller is called by 1 to {MAX_NAME_BYTES} of a-z, 0-9, dots, hyphens and underscores"
                )));
            }
            let hash = hex(entry.sha256).ok_or_else(|| {
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
                Seen::Word("all") => None,
                Seen::Word(_) => Some(BTreeSet::new()),
                Seen::Ids(ids) => Some(crate::access::confined(&ids).unwrap_or_default()),
            };
            if scenarios.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(Unusable(format!(
                    "token {place} ({}): `scenarios` is `all`, or a list of up to {MAX_SCENARIOS} ids like `[ukraine-2025]`",
                    entry.caller
                )));
            }
            tokens.insert(hash, Caller::new(entry.caller, entry.role, scenarios, None));
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
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
