//! What the commands of analysis ask alike: what must be achieved, whose red lines count, how long to search.

use crate::cli::args::inputs::Inputs;
use crate::cli::args::parsers::{assignment, firmness, patience};
use crate::cli::report::UsageErrors;
use crate::convert::red_line::from_firmness;
use crate::schema::proto::v1;
use clap::Args;
use detente_core::scenario::model::Firmness;
use std::time::Duration;

/// What a search is given.
#[derive(Args, Debug)]
pub(crate) struct AimOptions {
    /// What every package must meet: a condition, as scenario files write them.
    #[arg(long, value_name = "CONDITION")]
    goal: Option<String>,

    /// Fix the answer to an issue, or bracket it; written as in scenario files. May be repeated.
    #[arg(long = "pin", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    pins: Vec<String>,

    /// The least firmness with which a crossing counts: absolute, firm, negotiable or tentative.
    #[arg(long, value_name = "FIRMNESS", default_value = "firm", value_parser = firmness)]
    floor: Firmness,

    /// A third party whose red lines count beside those of the principals. May be repeated. [default: all of them]
    #[arg(long = "third-party", value_name = "PARTY", conflicts_with = "principals_only")]
    third_parties: Vec<String>,

    /// Count the red lines of principals only.
    #[arg(long)]
    principals_only: bool,

    /// How long to search: then what was found is shown, and said not to be all.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub(crate) timeout: Duration,
}

impl AimOptions {
    pub(crate) fn read(&self, inputs: &Inputs) -> Result<v1::Aim, UsageErrors> {
        let named = self.principals_only || !self.third_parties.is_empty();
        Ok(v1::Aim {
            pins: inputs.pins(&self.pins).map_err(UsageErrors)?,
            goal: self.goal.clone().unwrap_or_default(),
            floor: from_firmness(self.floor).into(),
            third_parties: named.then(|| v1::PartyList { parties: self.third_parties.clone() }),
        })
    }

    /// What is searched for, in words.
    pub(crate) fn words(&self) -> String {
        let goal = self.goal.as_ref().map(|goal| format!("goal {goal}"));
        let pins = self.pins.iter().map(|pin| format!("{pin} fixed"));
        let whose = if self.principals_only {
            Some("red lines of principals only".to_owned())
        } else {
            (!self.third_parties.is_empty())
                .then(|| format!("red lines of the principals and {}", self.third_parties.join(", ")))
        };
        let floor = format!("floor {}", self.floor.word());
        goal.into_iter().chain(pins).chain([floor]).chain(whose).collect::<Vec<_>>().join("; ")
    }
}
