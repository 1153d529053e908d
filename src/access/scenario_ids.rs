//! The list of scenarios to which credentials restrict a caller.
//!
//! Must not know which kind of credentials contains the list.

use detente_core::scenario::ids::ScenarioId;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Maximum number of scenarios in the list.
pub(super) const MAX_SCENARIOS: usize = 1_000;

/// The word that stands for all scenarios, instead of a list.
pub(super) const ALL: &str = "all";

/// Deserialises a list and rejects `null`.
///
/// Without a list, the caller sees all scenarios, so `null` must not count as an omitted list.
pub(super) fn non_null_list<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

/// Parses the scenarios to which a caller is restricted.
///
/// Returns `None` if there are too many, or if one is not an id: `*`, [`ALL`] or a full resource name would not mean
/// what its author intended.
pub(super) fn parse_scenario_ids(ids: &[impl AsRef<str>]) -> Option<BTreeSet<ScenarioId>> {
    let is_id_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let all_are_ids =
        ids.iter().map(AsRef::as_ref).all(|id: &str| !id.is_empty() && id != ALL && id.bytes().all(is_id_byte));
    (all_are_ids && ids.len() <= MAX_SCENARIOS).then(|| ids.iter().map(|id| ScenarioId::new(id.as_ref())).collect())
}
