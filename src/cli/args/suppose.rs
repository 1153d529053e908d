//! The option `--suppose`: reads each of its values as a hypothesis.
//!
//! Must not know the commands.

use crate::cli::args::inputs::Inputs;
use crate::cli::backend::Backend;
use crate::cli::render::words::last_segment;
use crate::cli::report::UsageErrors;
use crate::convert::red_line::from_firmness;
use crate::schema::proto::v1::hypothesis::Kind;
use crate::schema::proto::v1::supposed_red_line::Condition;
use crate::schema::proto::v1::{self, domain};
use anyhow::Result;
use detente_condition::{did_you_mean, nearest};
use detente_core::scenario::Diagnostics;
use detente_core::scenario::model::{Firmness, Polarity};

pub(crate) const SUPPOSE_HELP: &str = "\
Hypothesis, for this question only. Repeatable; hypotheses apply in their order:
  drop RED_LINE                         the red line is not held
  RED_LINE=FIRMNESS                     it is held as absolute, firm, negotiable or tentative
  CIRCUMSTANCE=VALUE                    it has this value, even if --given states another one
  CIRCUMSTANCE=unknown                  its value is unknown
  PARTY [FIRMNESS] rejects CONDITION    one more red line of the party (default: firm)
  PARTY [FIRMNESS] requires CONDITION";

const EXPECTED: &str = "expected `drop RED_LINE`, `RED_LINE=FIRMNESS`, `CIRCUMSTANCE=VALUE`, `CIRCUMSTANCE=unknown`, \
                   `PARTY rejects CONDITION` or `PARTY requires CONDITION`";
const OPTION: &str = "--suppose";

/// Reads the hypotheses of the options, in their order.
pub(crate) fn hypotheses(
    texts: &[String],
    backend: &Backend,
    scenario: &v1::Scenario,
    inputs: &Inputs,
) -> Result<Vec<v1::Hypothesis>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let request = v1::ListRedLinesRequest { parent: scenario.name.clone(), ..v1::ListRedLinesRequest::default() };
    let red_lines = backend.all_red_lines(request)?.red_lines;
    let red_lines = red_lines.iter().map(|line| last_segment(&line.name).to_owned()).collect();
    let mut reader = HypothesisReader { scenario, inputs, red_lines };
    let mut hypotheses = Vec::new();
    for text in texts {
        let kind = reader.kind(text).map_err(|error| match error {
            HypothesisError::Diagnosed(faults) => UsageErrors(faults),
            HypothesisError::Invalid(message) => UsageErrors(Diagnostics::of_file(OPTION, text, message)),
        })?;
        hypotheses.push(v1::Hypothesis { kind: Some(kind) });
    }
    Ok(hypotheses)
}

/// Why a text is not a hypothesis.
enum HypothesisError {
    /// The value of a circumstance is wrong, at the position that the diagnostics name.
    Diagnosed(Diagnostics),
    /// Something else is wrong, as one sentence.
    Invalid(String),
}

/// Reads hypotheses in their order, and knows the names that they may use.
struct HypothesisReader<'a> {
    scenario: &'a v1::Scenario,
    inputs: &'a Inputs,
    /// Ids of red lines, including those that hypotheses added so far.
    red_lines: Vec<String>,
}

impl HypothesisReader<'_> {
    fn kind(&mut self, text: &str) -> Result<Kind, HypothesisError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let ["drop", red_line] = words[..] {
            self.check_red_line(red_line)?;
            return Ok(Kind::DropRedLine(red_line.to_owned()));
        }
        if let Some(added) = AddedRedLine::read(text) {
            return self.added(&added);
        }
        match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if !name.contains(char::is_whitespace) && !name.is_empty() && !value.is_empty() => {
                self.assigned(name, value, text)
            }
            _ => Err(HypothesisError::Invalid(EXPECTED.to_owned())),
        }
    }

    /// Reads `NAME=VALUE`, where NAME is a circumstance or a red line of the scenario.
    fn assigned(&self, name: &str, value: &str, text: &str) -> Result<Kind, HypothesisError> {
        if let Some(circumstance) = self.scenario.circumstances.iter().find(|known| known.id == name) {
            if value == "unknown" && !has_option(circumstance, value) {
                return Ok(Kind::UnsetCircumstance(name.to_owned()));
            }
            let terms = self.inputs.supposed(OPTION, text).map_err(HypothesisError::Diagnosed)?;
            return terms
                .into_iter()
                .next()
                .map(Kind::SetCircumstance)
                .ok_or_else(|| HypothesisError::Invalid(EXPECTED.to_owned()));
        }
        if self.scenario.issues.iter().any(|issue| issue.id == name) {
            return Err(HypothesisError::Invalid(format!(
                "`{name}` is an issue, which a proposal settles; use --set {name}=ANSWER"
            )));
        }
        self.check_red_line(name)?;
        let (red_line, firmness) = (name.to_owned(), firmness(value)?.into());
        Ok(Kind::ChangeFirmness(v1::FirmnessChange { red_line, firmness }))
    }

    fn added(&mut self, added: &AddedRedLine) -> Result<Kind, HypothesisError> {
        let firmness = added.firmness.map_or(Ok(v1::Firmness::Firm), firmness)?;
        let parties = || self.scenario.parties.iter().map(|party| party.id.as_str());
        if !parties().any(|party| party == added.party) {
            let hint = did_you_mean(nearest(added.party, parties()));
            return Err(HypothesisError::Invalid(format!("there is no party `{}`{hint}", added.party)));
        }
        let id = (1..)
            .map(|number| format!("supposed-{number}"))
            .find(|id| !self.red_lines.contains(id))
            .unwrap_or_default();
        self.red_lines.push(id.clone());
        Ok(Kind::AddRedLine(v1::SupposedRedLine {
            id,
            party: added.party.to_owned(),
            title: String::new(),
            condition: Some(match added.polarity {
                Polarity::Requires => Condition::Requires(added.condition.to_owned()),
                Polarity::Rejects => Condition::Rejects(added.condition.to_owned()),
            }),
            firmness: firmness.into(),
        }))
    }

    /// Checks that a red line with this id exists.
    ///
    /// The service checks full names (`scenarios/...`), because they may be of a scenario that is not loaded here.
    fn check_red_line(&self, name: &str) -> Result<(), HypothesisError> {
        if name.starts_with("scenarios/") || self.red_lines.iter().any(|known| known == name) {
            return Ok(());
        }
        let circumstances = self.scenario.circumstances.iter().map(|known| known.id.as_str());
        let hint = did_you_mean(nearest(name, self.red_lines.iter().map(String::as_str).chain(circumstances)));
        Err(HypothesisError::Invalid(format!("there is no red line or circumstance `{name}`{hint}")))
    }
}

/// A red line that a hypothesis adds: `PARTY [FIRMNESS] rejects|requires CONDITION`.
struct AddedRedLine<'a> {
    party: &'a str,
    firmness: Option<&'a str>,
    polarity: Polarity,
    condition: &'a str,
}

impl<'a> AddedRedLine<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (party, rest) = first_word(text)?;
        let (second, rest) = first_word(rest)?;
        let of = |verb, firmness, condition: &'a str| {
            let polarity = [Polarity::Rejects, Polarity::Requires].into_iter().find(|known| known.word() == verb)?;
            Some(Self { party, firmness, polarity, condition: condition.trim() })
        };
        of(second, None, rest).or_else(|| {
            let (third, rest) = first_word(rest)?;
            of(third, Some(second), rest)
        })
    }
}

/// Splits a text into its first word and the rest.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn firmness(word: &str) -> Result<v1::Firmness, HypothesisError> {
    let found = Firmness::ALL.into_iter().find(|firmness| firmness.word() == word);
    found.map(from_firmness).ok_or_else(|| {
        let words = Firmness::ALL.map(Firmness::word);
        let hint = did_you_mean(nearest(word, words));
        HypothesisError::Invalid(format!("`{word}` is not a firmness; expected one of {}{hint}", words.join(", ")))
    })
}

/// Whether a circumstance is a choice with this option.
///
/// An option called `unknown` takes precedence over the keyword `unknown`, as with `--given`; `unsettled` then states
/// that the value is unknown.
fn has_option(circumstance: &v1::Circumstance, option: &str) -> bool {
    let kind = circumstance.domain.as_ref().and_then(|domain| domain.kind.as_ref());
    matches!(kind, Some(domain::Kind::Choice(choice)) if choice.options.iter().any(|known| known.id == option))
}
