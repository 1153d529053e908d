//! The options that all commands of analysis share: goal, pins, floor, parties and timeout.
//!
//! These commands search for packages, which are possible deals with an answer to every issue that matters. The options
//! say what a package must achieve (the goal, and pins, which are terms that it must have) and which red lines count:
//! those of the chosen parties, if a crossing has at least the firmness of the floor. Must not know the commands.

use crate::cli::args::inputs::Inputs;
use crate::cli::args::parsers::{assignment, firmness, long_duration};
use crate::cli::report::UsageErrors;
use crate::convert::red_line::from_firmness;
use crate::schema::proto::v1;
use clap::Args;
use detente_core::scenario::model::Firmness;
use std::time::Duration;

/// The aim of an analysis: what a package must achieve, and which red lines count.
#[derive(Args, Debug)]
pub(crate) struct AimOptions {
    /// Condition that every package (possible deal) must meet, written as in scenario files, like
    /// `sanctions == "keep"`.
    #[arg(long, value_name = "CONDITION")]
    goal: Option<String>,

    /// Fix or limit the answer to an issue, written as in scenario files. Repeatable.
    #[arg(long = "pin", value_name = "ISSUE=ANSWER", value_parser = assignment)]
    pins: Vec<String>,

    /// Lowest firmness at which a crossed red line counts: absolute, firm, negotiable or tentative.
    #[arg(long, value_name = "FIRMNESS", default_value = "firm", value_parser = firmness)]
    floor: Firmness,

    /// Third party whose red lines count, besides those of the principals. Repeatable. [default: all]
    #[arg(long = "third-party", value_name = "PARTY", conflicts_with = "principals_only")]
    third_parties: Vec<String>,

    /// Count only the red lines of principals.
    #[arg(long)]
    principals_only: bool,

    /// Longest time to search. An answer that is incomplete because the time ran out says so.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = long_duration)]
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

    /// The aim in words, for the head of an answer.
    pub(crate) fn words(&self) -> String {
        let goal = self.goal.as_ref().map(|goal| format!("goal {goal}"));
        let pins = self.pins.iter().map(|pin| format!("pin {pin}"));
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
