//! `GetRedLine`, `GetScenario`, `GetProposal`: each returns one resource by its name.

use crate::convert::scenario as convert_scenario;
use crate::convert::{missing_proposal, missing_red_line, red_line};
use crate::error::{ApiError, Violations};
use crate::schema::names::{self, RedLineName};
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::size::bounded;

impl RedLines {
    /// Returns one red line with its evidence.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn get_red_line(&self, request: v1::GetRedLineRequest) -> Result<v1::RedLine, ApiError> {
        let RedLineName { scenario, red_line: id } = names::parse_red_line(&request.name).ok_or_else(|| {
            ApiError::InvalidRequest(Violations::one("name", "write `scenarios/{scenario}/redLines/{red_line}`"))
        })?;
        let compiled = self.scenario_by_id(scenario, &request.revision)?;
        let scenario = compiled.scenario();
        let position = scenario.red_line(id).ok_or_else(|| missing_red_line(scenario, id))?;
        let found = scenario.red_lines.get(position).ok_or_else(|| missing_red_line(scenario, id))?;
        bounded(red_line::from_red_line(scenario, found, compiled.deciding_inputs(position)))
    }

    /// Returns one scenario with its parties, issues and other parts.
    ///
    /// If its file cannot be used in its current state, or was removed, the answer also says so.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn get_scenario(&self, request: v1::GetScenarioRequest) -> Result<v1::Scenario, ApiError> {
        let compiled = self.scenario(&request.name, "name", &request.revision)?;
        let mut stale = self.shared.store.stale(compiled.scenario().id.as_str());
        // Diagnostics quote the file. While the file is being edited, it may contain text of a scenario that the caller
        // may not see.
        if let Some(stale) = &mut stale
            && self.call.caller().is_some_and(|caller| !caller.sees_all())
        {
            stale.diagnostics = "the file cannot be used; see the server log".to_owned();
        }
        let removed = self.shared.store.removed(compiled.scenario().id.as_str());
        let scenario = convert_scenario::from_scenario(compiled.scenario(), self.is_default(&compiled));
        bounded(v1::Scenario {
            stale_file: stale.map(convert_scenario::from_stale_file),
            removed_file: removed.map(convert_scenario::from_removed_file),
            ..scenario
        })
    }

    /// Returns one reference proposal, which is a proposal that the scenario contains.
    ///
    /// # Errors
    /// The errors that `ErrorReason` in the schema documents.
    pub fn get_proposal(&self, request: v1::GetProposalRequest) -> Result<v1::Proposal, ApiError> {
        let name = names::parse_proposal(&request.name).ok_or_else(|| {
            ApiError::InvalidRequest(Violations::one("name", "write `scenarios/{scenario}/proposals/{proposal}`"))
        })?;
        let compiled = self.scenario_by_id(name.scenario, &request.revision)?;
        let scenario = compiled.scenario();
        let proposal = scenario.proposal(name.proposal).ok_or_else(|| missing_proposal(scenario, name.proposal))?;
        bounded(convert_scenario::from_proposal(scenario, proposal))
    }
}
