//! `--suppose`: hypotheses as people write them.

use crate::cli::args::inputs::Inputs;
use crate::cli::backend::Backend;
use crate::cli::render::words::last_segment;
use crate::cli::report::UsageErrors;
use crate::convert::red_line::from_firmness;
use crate::schema::proto::v1::hypothesis::Kind;
use crate::schema::proto::v1::supposed_red_line::Condition;
use crate::schema::proto::v1::{self, domain};
use anyhow::Result;
use detente_condition::nearest;
use detente_core::scenario::Diagnostics;
use detente_core::scenario::model::Firmness;

pub(crate) const SUPPOSE_HELP: &str = "\
Suppose something for this question only. May be repeated; each applies to what the ones before it left:
  drop RED_LINE                         it is not held
  RED_LINE=FIRMNESS                     it is absolute, firm, negotiable or tentative
  CIRCUMSTANCE=VALUE                    as with --given, whatever is given or assumed
  CIRCUMSTANCE=unknown                  nobody knows
  PARTY [FIRMNESS] rejects CONDITION    one more red line (firm, if nothing else is said)
  PARTY [FIRMNESS] requires CONDITION";

const HOW: &str = "write `drop RED_LINE`, `RED_LINE=FIRMNESS`, `CIRCUMSTANCE=VALUE`, `CIRCUMSTANCE=unknown`, \
                   `PARTY rejects CONDITION` or `PARTY requires CONDITION`";
const OPTION: &str = "--suppose";

/// Hypotheses from options, in their order.
pub(crate) fn hypotheses(
    texts: &[String],
    answerer: &Backend,
    scenario: &v1::Scenario,
    inputs: &Inputs,
) -> Result<Vec<v1::Hypothesis>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let request = v1::ListRedLinesRequest { parent: scenario.name.clone(), ..v1::ListRedLinesRequest::default() };
    let red_lines = answerer.all_red_lines(request)?.red_lines;
    let red_lines = red_lines.iter().map(|line| last_segment(&line.name).to_owned()).collect();
    let mut known = Known { scenario, inputs, red_lines };
    let mut hypotheses = Vec::new();
    for text in texts {
        let kind = known.kind(text).map_err(|unread| match unread {
            Unread::Told(faults) => UsageErrors(faults),
            Unread::Wrong(message) => UsageErrors(Diagnostics::of_file(OPTION, text, message)),
        })?;
        hypotheses.push(v1::Hypothesis { kind: Some(kind) });
    }
    Ok(hypotheses)
}

/// Why a text is no hypothesis.
enum Unread {
    /// With its place.
    Told(Diagnostics),
    Wrong(String),
}

/// What hypotheses may name.
struct Known<'a> {
    scenario: &'a v1::Scenario,
    inputs: &'a Inputs,
    /// Ids, those that are supposed so far included.
    red_lines: Vec<String>,
}

impl Known<'_> {
    fn kind(&mut self, text: &str) -> Result<Kind, Unread> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let ["drop", red_line] = words[..] {
            self.check_red_line(red_line)?;
            return Ok(Kind::DropRedLine(red_line.to_owned()));
        }
        if let Some(added) = Added::read(text) {
            return self.added(&added);
        }
        match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if !name.contains(char::is_whitespace) && !name.is_empty() && !value.is_empty() => {
                self.assigned(name, value, text)
            }
            _ => Err(Unread::Wrong(HOW.to_owned())),
        }
    }

    /// `NAME=VALUE`: of a circumstance or of a red line, by what the scenario has of that name.
    fn assigned(&self, name: &str, value: &str, text: &str) -> Result<Kind, Unread> {
        if let Some(circumstance) = self.scenario.circumstances.iter().find(|known| known.id == name) {
            if value == "unknown" && !has_option(circumstance, value) {
                return Ok(Kind::UnsetCircumstance(name.to_owned()));
            }
            let terms = self.inputs.supposed(OPTION, text).map_err(Unread::Told)?;
            return terms.into_iter().next().map(Kind::SetCircumstance).ok_or_else(|| Unread::Wrong(HOW.to_owned()));
        }
        if self.scenario.issues.iter().any(|issue| issue.id == name) {
            return Err(Unread::Wrong(format!("`{name}` is an issue, which a proposal settles: --set {name}=ANSWER")));
        }
        self.check_red_line(name)?;
        let (red_line, firmness) = (name.to_owned(), firmness(value)?.into());
        Ok(Kind::ChangeFirmness(v1::FirmnessChange { red_line, firmness }))
    }

    fn added(&mut self, added: &Added) -> Result<Kind, Unread> {
        let firmness = added.firmness.map_or(Ok(v1::Firmness::Firm), firmness)?;
        let parties = || self.scenario.parties.iter().map(|party| party.id.as_str());
        if !parties().any(|party| party == added.party) {
            let hint = hint(nearest(added.party, parties()));
            return Err(Unread::Wrong(format!("there is no party `{}`{hint}", added.party)));
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
            condition: Some(match added.requires {
                true => Condition::Requires(added.condition.to_owned()),
                false => Condition::Rejects(added.condition.to_owned()),
            }),
            firmness: firmness.into(),
        }))
    }

    /// An id must be known; a name is left to the service, which knows more scenarios than this one.
    fn check_red_line(&self, name: &str) -> Result<(), Unread> {
        if name.starts_with("scenarios/") || self.red_lines.iter().any(|known| known == name) {
            return Ok(());
        }
        let circumstances = self.scenario.circumstances.iter().map(|known| known.id.as_str());
        let hint = hint(nearest(name, self.red_lines.iter().map(String::as_str).chain(circumstances)));
        Err(Unread::Wrong(format!("there is no red line or circumstance `{name}`{hint}")))
    }
}

/// `PARTY [FIRMNESS] rejects|requires CONDITION`.
struct Added<'a> {
    party: &'a str,
    firmness: Option<&'a str>,
    requires: bool,
    condition: &'a str,
}

impl<'a> Added<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (party, rest) = first_word(text)?;
        let (second, rest) = first_word(rest)?;
        let of = |verb, firmness, condition: &'a str| {
            let requires = match verb {
                "rejects" => false,
                "requires" => true,
                _ => return None,
            };
            Some(Self { party, firmness, requires, condition: condition.trim() })
        };
        of(second, None, rest).or_else(|| {
            let (third, rest) = first_word(rest)?;
            of(third, Some(second), rest)
        })
    }
}

/// A word, and what follows it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn firmness(word: &str) -> Result<v1::Firmness, Unread> {
    let found = Firmness::ALL.into_iter().find(|firmness| firmness.word() == word);
    found.map(from_firmness).ok_or_else(|| {
        let words = Firmness::ALL.map(Firmness::word);
        let hint = hint(nearest(word, words));
        Unread::Wrong(format!("`{word}` is no firmness: {}{hint}", words.join(", ")))
    })
}

/// A choice may have an option of that name: then it is meant, as with `--given`; `unsettled` says the other.
fn has_option(circumstance: &v1::Circumstance, option: &str) -> bool {
    let kind = circumstance.domain.as_ref().and_then(|domain| domain.kind.as_ref());
    matches!(kind, Some(domain::Kind::Choice(choice)) if choice.options.iter().any(|known| known.id == option))
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}
