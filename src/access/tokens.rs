//! Bearer tokens from a YAML or JSON file, with one entry for each caller, stored as SHA-256 hashes.
//!
//! Must not know how tokens arrive.

use crate::access::scenario_ids::{ALL, MAX_SCENARIOS, parse_scenario_ids};
use crate::access::{Caller, CallerRole, CredentialFileError};
use data_encoding::HEXLOWER_PERMISSIVE;
use detente_core::scenario::yaml::{Document, Value};
use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use subtle::ConstantTimeEq;

/// Largest token file, in bytes: 10,000 tokens of 400 bytes.
pub const MAX_TOKEN_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Maximum number of tokens in a file.
const MAX_TOKENS: usize = 10_000;
/// Maximum number of YAML values in a file, including keys and lists.
const MAX_VALUES: usize = 250_000;
/// Longest name of a caller, in bytes.
const MAX_NAME_BYTES: usize = 64;

type Hash = [u8; 32];

/// The accepted tokens.
///
/// A token is looked up by a keyed hash of its SHA-256, so that the time of a lookup reveals nothing about the other
/// tokens; the entry found is compared in constant time.
pub struct Tokens {
    // The key of the map is a hash of the token's SHA-256 with the secret random state `keyed`. Two tokens rarely have
    // equal hashes; each value is a list because they may.
    callers: HashMap<u64, Vec<(Hash, Caller)>>,
    keyed: RandomState,
    count: usize,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("count", &self.count).finish_non_exhaustive()
    }
}

/// An entry of the file.
///
/// An entry that lacks any of these fields is rejected, because a truncated file must never grant more than the whole
/// file.
struct Entry<'a> {
    caller: &'a str,
    sha256: &'a str,
    role: CallerRole,
    scenarios: ScenarioScope<'a>,
}

/// The scenarios that a caller may see: the word `all`, or a list of ids.
enum ScenarioScope<'a> {
    Word(&'a str),
    Ids(Vec<&'a str>),
}

impl<'a> Entry<'a> {
    fn read(entry: Value<'a>) -> Result<Self, CredentialFileError> {
        let [caller, sha256, role, scenarios] =
            entry.fields(["caller", "sha256", "role", "scenarios"]).map_err(malformed)?;
        let word = role.text().ok_or_else(|| malformed(role.line()))?;
        let word = IntoDeserializer::<value::Error>::into_deserializer(word);
        let role = CallerRole::deserialize(word).map_err(|_| malformed(role.line()))?;
        let scenarios = match scenarios.items() {
            Some(ids) => ScenarioScope::Ids(ids.map(|id| name(id, id.text())).collect::<Result<_, _>>()?),
            None => ScenarioScope::Word(scenarios.text().ok_or_else(|| malformed(scenarios.line()))?),
        };
        // The name of a caller and a hash may consist of digits, which YAML reads as a number.
        let sha256 = sha256.scalar().ok_or_else(|| malformed(sha256.line()))?;
        Ok(Self { caller: name(caller, caller.scalar())?, sha256, role, scenarios })
    }
}

/// Reads the name of a caller or a scenario.
///
/// A name is rejected if the end of the file may have cut it off. What is left of a name may be the name of another
/// caller or scenario, and could grant rights that the whole file does not grant.
fn name<'a>(value: Value<'a>, written: Option<&'a str>) -> Result<&'a str, CredentialFileError> {
    if value.is_block_scalar() {
        return Err(CredentialFileError(format!(
            "line {}: a name cannot be a block scalar (`|` or `>`), because a truncated one cannot be detected; write \
             the name on one line, without `|` or `>`",
            value.line()
        )));
    }
    if value.may_be_cut_off() {
        return Err(CredentialFileError(format!(
            "line {}: the file ends within a name, so part of the file may be missing; end the last line with a line \
             break",
            value.line()
        )));
    }
    written.ok_or_else(|| malformed(value.line()))
}

fn unreadable(line: usize) -> CredentialFileError {
    CredentialFileError(format!(
        "line {line}: invalid token file; expected a list `tokens`, but the file is empty, is not valid YAML, or has \
         anchors, aliases, tags, control characters, keys that occur twice or are not names, several documents, \
         nesting that is too deep, or more than {MAX_VALUES} values"
    ))
}

fn malformed(line: usize) -> CredentialFileError {
    CredentialFileError(format!(
        "line {line}: invalid token file; expected only a list `tokens`, each entry with just `caller`, `sha256`, \
         `role` (reader or analyst) and `scenarios` (all, or a list of ids)"
    ))
}

impl Tokens {
    /// Parses the file.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn read(text: &str) -> Result<Self, CredentialFileError> {
        if text.len() > MAX_TOKEN_FILE_BYTES {
            return Err(CredentialFileError(format!("the file exceeds the limit of {MAX_TOKEN_FILE_BYTES} bytes")));
        }
        // The parser's messages quote the file, which may contain a token by mistake: report the line only.
        let document = Document::read("", text, MAX_VALUES)
            .map_err(|faults| unreadable(faults.list().first().map_or(1, |fault| fault.line)))?;
        let [list] = document.root().fields(["tokens"]).map_err(malformed)?;
        let entries = list.items().ok_or_else(|| malformed(list.line()))?;
        let entries = entries.map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err(CredentialFileError("the file has no tokens".to_owned()));
        }
        if entries.len() > MAX_TOKENS {
            return Err(CredentialFileError(format!(
                "the file has {} tokens; the limit is {MAX_TOKENS}",
                entries.len()
            )));
        }
        let mut tokens = Self { callers: HashMap::new(), keyed: RandomState::new(), count: 0 };
        for (at, entry) in entries.into_iter().enumerate() {
            let place = at + 1;
            let is_name_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            if !(1..=MAX_NAME_BYTES).contains(&entry.caller.len()) || !entry.caller.bytes().all(is_name_byte) {
                return Err(CredentialFileError(format!(
                    "token {place}: `caller` is not 1 to {MAX_NAME_BYTES} characters of a-z, 0-9, dots, hyphens and \
                     underscores"
                )));
            }
            let hash = hex(entry.sha256).ok_or_else(|| {
                CredentialFileError(format!("token {place} ({}): `sha256` is not 64 hexadecimal digits", entry.caller))
            })?;
            // A script that fails to create a token hashes the empty string: `Bearer` without a token would then be
            // accepted.
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
                ScenarioScope::Word(ALL) => None,
                ScenarioScope::Word(_) => Some(BTreeSet::new()),
                ScenarioScope::Ids(ids) if ids.contains(&ALL) => {
                    return Err(CredentialFileError(format!(
                        "token {place} ({}): `{ALL}` is not the id of a scenario; write `scenarios: {ALL}`, without \
                         brackets, for all scenarios, or list only ids",
                        entry.caller
                    )));
                }
                ScenarioScope::Ids(ids) => Some(parse_scenario_ids(&ids).unwrap_or_default()),
            };
            if scenarios.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(CredentialFileError(format!(
                    "token {place} ({}): `scenarios` is neither `all` nor a list of 1 to {MAX_SCENARIOS} ids, such \
                     as `[ukraine-2025]`",
                    entry.caller
                )));
            }
            tokens.insert(hash, Caller::with_token(entry.caller, entry.role, scenarios));
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

    /// Prepares these tokens to replace `before`: revokes the callers whose token or rights are not in the new file.
    ///
    /// Callers whose token and rights are unchanged stay valid. They are kept, not created again, so that revoking one
    /// later also revokes its earlier clones.
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
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
