//! Resource names: `scenarios/{scenario}`, `scenarios/{scenario}/redLines/{red_line}` and
//! `scenarios/{scenario}/proposals/{proposal}`.
//!
//! Owns how names are written and parsed. Must not know which resources exist.

use detente_core::scenario::ids::{ProposalId, RedLineId, ScenarioId};

/// Returns the name of a scenario.
pub fn scenario(id: &ScenarioId) -> String {
    ["scenarios/", id.as_str()].concat()
}

/// Returns the name of a red line.
pub fn red_line(scenario: &ScenarioId, id: &RedLineId) -> String {
    ["scenarios/", scenario.as_str(), "/redLines/", id.as_str()].concat()
}

/// Returns the name of a reference proposal, which is a proposal that the scenario contains.
pub fn proposal(scenario: &ScenarioId, id: &ProposalId) -> String {
    ["scenarios/", scenario.as_str(), "/proposals/", id.as_str()].concat()
}

/// Returns the id in a scenario's name; `None` if the text is not such a name.
pub fn parse_scenario(name: &str) -> Option<&str> {
    name.strip_prefix("scenarios/").filter(|id| is_segment(id))
}

/// The ids in the name of a red line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedLineName<'a> {
    /// The id of the scenario.
    pub scenario: &'a str,
    /// The id of the red line.
    pub red_line: &'a str,
}

/// Returns the ids in a red line's name; `None` if the text is not such a name.
pub fn parse_red_line(name: &str) -> Option<RedLineName<'_>> {
    parse_child(name, "/redLines/").map(|(scenario, red_line)| RedLineName { scenario, red_line })
}

/// The ids in the name of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalName<'a> {
    /// The id of the scenario.
    pub scenario: &'a str,
    /// The id of the proposal.
    pub proposal: &'a str,
}

/// Returns the ids in a proposal's name; `None` if the text is not such a name.
pub fn parse_proposal(name: &str) -> Option<ProposalName<'_>> {
    parse_child(name, "/proposals/").map(|(scenario, proposal)| ProposalName { scenario, proposal })
}

fn parse_child<'a>(name: &'a str, collection: &str) -> Option<(&'a str, &'a str)> {
    let (scenario, child) = name.strip_prefix("scenarios/")?.split_once(collection)?;
    (is_segment(scenario) && is_segment(child)).then_some((scenario, child))
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}
