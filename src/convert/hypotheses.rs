//! Validates hypotheses and applies them in the order given, each to the result of the previous ones.
//!
//! A hypothesis asks what the answer would be if a red line were dropped, added or held with another firmness, or if a
//! circumstance were known or unknown. Compiling the condition of an added red line takes milliseconds. A request with
//! hypotheses must therefore be validated on a worker thread, not on a thread that serves connections. Must not know
//! how a hypothesis changes an evaluation.

use crate::convert::red_line::to_firmness;
use crate::convert::sizes::is_short_list;
use crate::convert::term::{InputKind, to_answers, to_input};
use crate::convert::wording;
use crate::error::{Violations, quoted};
use crate::schema::names::{self, RedLineName};
use crate::schema::proto::v1::hypothesis::Kind;
use crate::schema::proto::v1::{self, supposed_red_line};
use detente_condition::{Answer, InputIndex, compile_for_call, did_you_mean};
use detente_core::engine::{Compiled, Given, Origin, Supposed};
use detente_core::scenario::ids::RedLineId;
use detente_core::scenario::index::{IndexVec, PartyIndex, RedLineIndex};
use detente_core::scenario::limits::{MAX_ID, MAX_LINE};
use detente_core::scenario::model::{Beginning, Condition, Firmness, Polarity, RedLine, Span};
use detente_core::scenario::{DateRange, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The hypotheses of a request, validated.
#[derive(Clone, Debug, Default)]
pub struct Supposition {
    /// Changes to red lines; `None` if the request has no hypotheses.
    pub supposed: Option<Arc<Supposed>>,
    /// The circumstances that hypotheses set or unset, with the resulting values.
    circumstances: Vec<Given>,
    /// The hypotheses in words, in the order given.
    pub texts: Vec<String>,
}

impl Supposition {
    /// Merges the terms and circumstances of a request with its hypotheses about circumstances.
    ///
    /// A hypothesis about a circumstance replaces the value that the request gives for it.
    pub fn given_over(&self, terms: Vec<Given>, circumstances: Vec<Given>) -> Vec<Given> {
        let supposed = |given: &Given| self.circumstances.iter().any(|supposed| supposed.input == given.input);
        let mut given = terms;
        given.extend(circumstances.into_iter().filter(|given| !supposed(given)));
        given.extend(&self.circumstances);
        given
    }
}

/// Validates hypotheses for evaluations on `days`.
///
/// A hypothesis about a recorded red line is a fault if the red line is not held on any of these days.
pub fn to_supposition(
    compiled: &Compiled,
    hypotheses: &[v1::Hypothesis],
    days: DateRange,
    violations: &mut Violations,
) -> Supposition {
    if hypotheses.is_empty() {
        return Supposition::default();
    }
    if !is_short_list(hypotheses, violations) {
        return Supposition::default();
    }
    let mut reader = Reader { compiled, days, violations, draft: Draft::default(), texts: Vec::new() };
    for (at, hypothesis) in hypotheses.iter().enumerate() {
        reader.hypothesis(hypothesis, &format!("hypotheses[{at}]"));
    }
    reader.finish()
}

/// The combined effect of the hypotheses read so far.
#[derive(Default)]
struct Draft<'a> {
    dropped: BTreeSet<RedLineIndex>,
    firmness: BTreeMap<RedLineIndex, Firmness>,
    circumstances: BTreeMap<InputIndex, Answer>,
    /// Added red lines, in the order given, including those that a later hypothesis drops.
    added: Vec<AddedRedLine<'a>>,
}

struct AddedRedLine<'a> {
    id: &'a str,
    party: PartyIndex,
    title: String,
    polarity: Polarity,
    condition: &'a str,
    field: String,
    firmness: Firmness,
    dropped: bool,
}

/// A red line that a hypothesis is about.
#[derive(Clone, Copy)]
enum Line {
    Recorded(RedLineIndex),
    Added(usize),
}

struct Reader<'a, 'v> {
    compiled: &'a Compiled,
    days: DateRange,
    violations: &'v mut Violations,
    draft: Draft<'a>,
    texts: Vec<String>,
}

impl<'a> Reader<'a, '_> {
    fn scenario(&self) -> &'a Scenario {
        self.compiled.scenario()
    }

    fn hypothesis(&mut self, hypothesis: &'a v1::Hypothesis, field: &str) {
        match &hypothesis.kind {
            None => self.violations.add(
                field,
                "give one of `drop_red_line`, `change_firmness`, `set_circumstance`, `unset_circumstance` and \
                 `add_red_line`",
            ),
            Some(Kind::DropRedLine(name)) => self.drop_red_line(name, &format!("{field}.drop_red_line")),
            Some(Kind::ChangeFirmness(change)) => self.change_firmness(change, &format!("{field}.change_firmness")),
            Some(Kind::SetCircumstance(term)) => self.set_circumstance(term, &format!("{field}.set_circumstance")),
            Some(Kind::UnsetCircumstance(name)) => {
                let field = format!("{field}.unset_circumstance");
                let input = to_input(self.scenario(), name, InputKind::Circumstances, &field, self.violations);
                if let Some(input) = input {
                    self.draft.circumstances.insert(input, Answer::Unsettled);
                    self.texts.push(wording::hypotheses::unknown_circumstance(name));
                }
            }
            Some(Kind::AddRedLine(line)) => self.add_red_line(line, &format!("{field}.add_red_line")),
        }
    }

    fn drop_red_line(&mut self, name: &'a str, field: &str) {
        let Some((id, line)) = self.red_line(name, field) else { return };
        match line {
            Line::Recorded(position) => {
                self.draft.dropped.insert(position);
            }
            Line::Added(at) => self.draft.added.get_mut(at).into_iter().for_each(|added| added.dropped = true),
        }
        self.texts.push(wording::hypotheses::dropped_red_line(id));
    }

    fn change_firmness(&mut self, change: &'a v1::FirmnessChange, field: &str) {
        let line = self.red_line(&change.red_line, &format!("{field}.red_line"));
        let firmness = self.firmness(change.firmness, &format!("{field}.firmness"));
        let (Some((id, line)), Some(firmness)) = (line, firmness) else { return };
        match line {
            Line::Recorded(position) => {
                self.draft.firmness.insert(position, firmness);
            }
            Line::Added(at) => self.draft.added.get_mut(at).into_iter().for_each(|added| added.firmness = firmness),
        }
        self.texts.push(wording::hypotheses::changed_firmness(id, firmness));
    }

    fn set_circumstance(&mut self, term: &'a v1::Term, field: &str) {
        let scenario = self.scenario();
        let term = std::slice::from_ref(term);
        // The list has one element. In the paths of its faults, `[0]` is replaced by the path of this field.
        let mut found = Violations::default();
        let answers = to_answers(scenario, term, InputKind::Circumstances, "", &mut found);
        for (path, description) in found.iter() {
            let path = path.strip_prefix("[0]").unwrap_or(path);
            self.violations.add(format!("{field}{path}"), description);
        }
        for (input, answer) in answers {
            self.draft.circumstances.insert(input, answer);
            if let Some(input) = scenario.inputs.get(input) {
                self.texts.push(wording::answer(input, &answer));
            }
        }
    }

    fn add_red_line(&mut self, line: &'a v1::SupposedRedLine, field: &str) {
        let scenario = self.scenario();
        let id = self.new_id(&line.id, &format!("{field}.id"));
        let party = scenario.party(&line.party);
        if party.is_none() {
            let nearest = self.violations.nearest(&line.party, scenario.parties.iter().map(|party| party.id.as_str()));
            let hint = did_you_mean(nearest);
            let text = format!("there is no party `{}`{hint}", quoted(&line.party));
            self.violations.add(format!("{field}.party"), text);
        }
        if line.title.chars().count() > MAX_LINE || line.title.chars().any(char::is_control) {
            let text = format!("a title is one line of at most {MAX_LINE} characters");
            self.violations.add(format!("{field}.title"), text);
        }
        let firmness = self.firmness(line.firmness, &format!("{field}.firmness"));
        let (polarity, condition) = match &line.condition {
            None => {
                let text =
                    "give a condition: `rejects` (crossed when it is true) or `requires` (crossed when it is false)";
                self.violations.add(format!("{field}.condition"), text);
                return;
            }
            Some(supposed_red_line::Condition::Rejects(text)) => (Polarity::Rejects, text),
            Some(supposed_red_line::Condition::Requires(text)) => (Polarity::Requires, text),
        };
        // The condition is compiled even if the red line has another fault, so that all faults are listed at once.
        self.draft.added.push(AddedRedLine {
            id: id.unwrap_or_default(),
            party: party.unwrap_or(PartyIndex(0)),
            title: if line.title.is_empty() { on_one_line(condition) } else { line.title.clone() },
            polarity,
            condition,
            field: format!("{field}.{}", polarity.word()),
            firmness: firmness.unwrap_or(Firmness::Firm),
            dropped: false,
        });
        if let (Some(id), Some(firmness)) = (id, firmness) {
            let condition = on_one_line(condition);
            self.texts.push(wording::hypotheses::added_red_line(id, &line.party, polarity, &condition, firmness));
        }
    }

    /// Validates the id of an added red line, which no recorded or previously added red line may have.
    fn new_id(&mut self, id: &'a str, field: &str) -> Option<&'a str> {
        let looks_right = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && id.len() <= MAX_ID;
        if !looks_right {
            let text = format!(
                "`{}` is not an id; expected a lower-case letter, then lower-case letters, digits and `-`, up to \
                 {MAX_ID} characters",
                quoted(id)
            );
            self.violations.add(field, text);
            return None;
        }
        if self.scenario().red_line(id).is_some() || self.draft.added.iter().any(|added| added.id == id) {
            self.violations.add(field, format!("the red line `{id}` already exists; give another id"));
            return None;
        }
        Some(id)
    }

    /// Finds a red line that is held on at least one of the days and that no previous hypothesis dropped.
    fn red_line(&mut self, name: &'a str, field: &str) -> Option<(&'a str, Line)> {
        let scenario = self.scenario();
        let id = match names::parse_red_line(name) {
            Some(named) if named.scenario == scenario.id.as_str() => named.red_line,
            Some(RedLineName { scenario: other, .. }) => {
                let text =
                    format!("this is a red line of `scenarios/{}`, not of `scenarios/{}`", quoted(other), scenario.id);
                self.violations.add(field, text);
                return None;
            }
            None => name,
        };
        let added = self.draft.added.iter().position(|added| added.id == id && !id.is_empty());
        let line = scenario.red_line(id).map(Line::Recorded).or(added.map(Line::Added));
        let Some(line) = line else {
            let nearest = self.violations.nearest(id, scenario.red_lines.iter().map(|red_line| red_line.id.as_str()));
            let hint = did_you_mean(nearest);
            self.violations.add(field, format!("there is no red line `{}`{hint}", quoted(id)));
            return None;
        };
        let (dropped, held) = match line {
            Line::Recorded(position) => {
                (self.draft.dropped.contains(&position), self.compiled.is_held(position, self.days))
            }
            Line::Added(at) => (self.draft.added.get(at).is_some_and(|added| added.dropped), true),
        };
        if dropped {
            self.violations.add(field, format!("an earlier hypothesis drops `{id}`"));
            return None;
        }
        if !held {
            let (first, last) = (self.days.first(), self.days.last());
            let days = if first == last { format!("on {first}") } else { format!("between {first} and {last}") };
            self.violations.add(field, format!("`{id}` is not held {days}"));
            return None;
        }
        Some((id, line))
    }

    fn firmness(&mut self, firmness: i32, field: &str) -> Option<Firmness> {
        let found = v1::Firmness::try_from(firmness).ok().and_then(to_firmness);
        if found.is_none() {
            let text = format!(
                "{firmness} is not a firmness; expected 1 (tentative), 2 (negotiable), 3 (firm) or 4 (absolute)"
            );
            self.violations.add(field, text);
        }
        found
    }

    fn finish(self) -> Supposition {
        let Self { compiled, days, violations, draft, texts } = self;
        let scenario = compiled.scenario();
        let conditions: Vec<&str> = draft.added.iter().map(|added| added.condition).collect();
        let domains = scenario.inputs.iter().map(|input| &input.domain);
        let compiled = match compile_for_call(&conditions, &scenario.vocabulary, domains) {
            Ok(compiled) => compiled,
            Err(faults) => {
                for fault in faults {
                    let Some(added) = draft.added.get(fault.condition) else { continue };
                    let text = added.condition.get(..fault.at).unwrap_or_default();
                    let place = text.chars().count() + 1;
                    let text = format!("at character {place}: {}", fault.message);
                    if fault.is_limit {
                        violations.over("conditions", added.field.as_str(), text);
                    } else {
                        violations.add(added.field.as_str(), text);
                    }
                }
                return Supposition::default();
            }
        };
        let mut added = Vec::with_capacity(draft.added.len());
        for (line, (formula, decision)) in draft.added.into_iter().zip(compiled.conditions) {
            if decision.holds.is_empty() || decision.fails.is_empty() {
                let how = if decision.holds.is_empty() { "never" } else { "always" };
                violations.add(
                    line.field,
                    format!("the condition {how} holds; give one that some proposals meet and others do not"),
                );
                continue;
            }
            if line.dropped {
                continue;
            }
            added.push(RedLine {
                id: RedLineId::new(line.id),
                party: line.party,
                title: line.title,
                polarity: line.polarity,
                condition: Condition { text: line.condition.to_owned(), formula, decision },
                firmness: line.firmness,
                held: vec![Span { from: days.first(), beginning: Beginning::Stated, until: None }],
                evidence: Vec::new(),
                waivers: IndexVec::default(),
                binding_probability: None,
            });
        }
        let circumstances = draft.circumstances.into_iter();
        Supposition {
            supposed: Some(Arc::new(Supposed::new(draft.dropped, draft.firmness, added, compiled.space))),
            circumstances: circumstances
                .map(|(input, answer)| Given { input, answer, origin: Origin::Hypothesis })
                .collect(),
            texts,
        }
    }
}

/// Returns a condition as one line without control characters, cut to the length of a title.
fn on_one_line(condition: &str) -> String {
    let words: Vec<&str> = condition.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
