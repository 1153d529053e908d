//! A scenario as data: everything that was stated, by whom, and when. Immutable once loaded.
//!
//! References between parts are positions, resolved when the file is read: an index here is always in range.

use detente_condition::{Answer, Cubes, Decision, Domain, Formula, InputId, Space, Value, Vocabulary};
use jiff::civil::Date;
use std::fmt;
use std::sync::Arc;

/// An id of the scenario: of itself or of one of its parts.
pub type Id = Arc<str>;

/// The hash of a scenario's canonical content and of the semantics' version: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub(super) Arc<str>);

impl Revision {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One negotiation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its id, as in `scenarios/{id}`.
    pub id: Id,
    /// A line of text.
    pub title: String,
    /// A paragraph; empty where the file has none.
    pub description: String,
    /// The first and the last day for which it can be evaluated.
    pub covers: (Date, Date),
    /// The day to which its record is complete.
    pub as_of: Date,
    /// The hash of its content.
    pub revision: Revision,
    /// Where its statements come from.
    pub sources: Vec<Source>,
    /// The actors.
    pub parties: Vec<Party>,
    /// Named sets of options or members.
    pub groups: Vec<Group>,
    /// The issues, then the circumstances.
    pub inputs: Vec<Input>,
    /// How many of the inputs are issues.
    pub issue_count: usize,
    /// The space in which all conditions of the scenario are exact.
    pub space: Space,
    /// The red lines.
    pub red_lines: Vec<RedLine>,
    /// The constraints.
    pub constraints: Vec<Constraint>,
    /// The cautions.
    pub cautions: Vec<Caution>,
    /// The preferences.
    pub preferences: Vec<Preference>,
    /// The reference proposals.
    pub proposals: Vec<Proposal>,
}

impl Scenario {
    /// The issues.
    pub fn issues(&self) -> &[Input] {
        self.inputs.get(..self.issue_count).unwrap_or_default()
    }

    /// The circumstances.
    pub fn circumstances(&self) -> &[Input] {
        self.inputs.get(self.issue_count..).unwrap_or_default()
    }

    /// The input of that id, with its position.
    pub fn input(&self, id: &str) -> Option<(InputId, &Input)> {
        (0u16..).zip(&self.inputs).find(|(_, input)| &*input.id == id).map(|(at, input)| (InputId(at), input))
    }

    /// The names that a condition may use: inputs and groups. Takes milliseconds for the largest scenarios, so that it
    /// is worth keeping.
    pub fn vocabulary(&self) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for (at, input) in (0..).zip(&self.inputs) {
            vocabulary.add_input(input.id.clone(), InputId(at), input.domain.clone());
        }
        for group in &self.groups {
            vocabulary.add_group(group.id.clone(), group.members.clone());
        }
        vocabulary
    }

    /// Whether an input is an issue (else it is a circumstance).
    pub fn is_issue(&self, input: InputId) -> bool {
        input.index() < self.issue_count
    }

    /// The position of the party of that id.
    pub fn party(&self, id: &str) -> Option<usize> {
        self.parties.iter().position(|party| &*party.id == id)
    }

    /// The position of the red line of that id.
    pub fn red_line(&self, id: &str) -> Option<usize> {
        self.red_lines.iter().position(|red_line| &*red_line.id == id)
    }

    /// The reference proposal of that id.
    pub fn proposal(&self, id: &str) -> Option<&Proposal> {
        self.proposals.iter().find(|proposal| &*proposal.id == id)
    }
}

/// A publication or record.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Source {
    pub id: Id,
    pub title: String,
    pub publisher: String,
    pub authors: Vec<String>,
    pub published: Option<Date>,
    pub url: String,
    pub note: String,
}

/// An actor.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Party {
    pub id: Id,
    pub name: String,
    pub role: Role,
    pub description: String,
    /// The utility that it gets without a deal, in the units of its cardinal preferences; finite.
    pub reservation_value: Option<f64>,
}

/// What a deal needs of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// No deal without its consent.
    Principal,
    /// A deal may lean on it, and fails in delivery where it refuses.
    ThirdParty,
}

/// A named set of options or members, for conditions.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Group {
    pub id: Id,
    pub name: String,
    pub members: Vec<Id>,
    pub note: String,
}

/// An issue (a question that a deal may settle) or a circumstance (a fact that no deal settles).
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its id.
    pub id: Id,
    /// A line of text.
    pub title: String,
    /// What is settled here, as a question.
    pub question: String,
    /// What it ranges over.
    pub domain: Domain,
    /// The titles of the options or members, in the domain's order; empty where the file has none.
    pub entry_titles: Vec<String>,
    /// A quantity's unit; else empty.
    pub unit: String,
    /// What holds when nothing is said: the status quo of an issue, from the given days on, ascending (`None`: from
    /// the beginning), or the one assumed value of a circumstance. Empty: unsettled, or unknown.
    pub defaults: Vec<Dated>,
    /// Codes of published taxonomies.
    pub taxonomy: Vec<String>,
    /// Rows of the author's register.
    pub rows: Vec<String>,
    /// A remark.
    pub note: String,
    /// A circumstance's evidence.
    pub evidence: Vec<Evidence>,
}

/// A value from a day on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dated {
    /// The first day; `None`: from the beginning.
    pub from: Option<Date>,
    /// What holds.
    pub value: Value,
}

/// How firmly a red line is held. The order is that of firmness: `Absolute` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Firmness {
    /// Not stated by the party as a condition: a complaint, an inference, a speculation, a dated aim.
    Tentative,
    /// Stated, with room signalled or reported.
    Negotiable,
    /// Stated as a condition.
    Firm,
    /// Never, no compromise.
    Absolute,
}

impl Firmness {
    /// All, from the least to the greatest.
    pub const ALL: [Firmness; 4] = [Firmness::Tentative, Firmness::Negotiable, Firmness::Firm, Firmness::Absolute];

    /// The word in files and texts.
    pub fn word(self) -> &'static str {
        match self {
            Firmness::Tentative => "tentative",
            Firmness::Negotiable => "negotiable",
            Firmness::Firm => "firm",
            Firmness::Absolute => "absolute",
        }
    }
}

/// A span of days in which something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first day.
    pub from: Date,
    /// Whether `from` is stated to be the beginning, or only the first day that a record shows.
    pub from_is_stated: bool,
    /// The first day on which it is no longer held; `None`: still held.
    pub until: Option<Date>,
}

impl Span {
    /// Whether a day lies in the span.
    pub fn contains(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// A condition as written, as read, and as compiled in the scenario's space.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The CEL text.
    pub text: String,
    /// Its meaning.
    pub formula: Formula,
    /// Its prime implicants.
    pub decision: Decision,
}

/// A party's condition on any deal.
#[derive(Clone, Debug, PartialEq)]
pub struct RedLine {
    /// Its id.
    pub id: Id,
    /// The position of its party.
    pub party: usize,
    /// What the party will not have, in a line.
    pub title: String,
    /// Whether the text `requires` (crossed when the condition does not hold) or `rejects` (crossed when it holds).
    pub requires: bool,
    /// The condition.
    pub condition: Condition,
    /// How firmly it is held.
    pub firmness: Firmness,
    /// When, ascending and disjoint.
    pub held: Vec<Span>,
    /// Who says so; at least one.
    pub evidence: Vec<Evidence>,
    /// Under what a crossing counts less.
    pub waivers: Vec<Waiver>,
    /// How probable it is, as the scenario's author takes it, that a crossing would in fact undo a deal: 0 to 1.
    pub binding_probability: Option<f64>,
}

impl RedLine {
    /// The formula that is true exactly where the red line is crossed.
    pub fn crossed(&self) -> Formula {
        let formula = self.condition.formula.clone();
        if self.requires { formula.negated() } else { formula }
    }

    /// The prime implicants of "crossed", and of its opposite.
    pub fn sides(&self) -> (&Cubes, &Cubes) {
        let Decision { holds, fails } = &self.condition.decision;
        if self.requires { (fails, holds) } else { (holds, fails) }
    }
}

/// A condition under which a crossing counts with a lower firmness.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Waiver {
    pub id: Id,
    pub title: String,
    pub when: Condition,
    pub firmness: Firmness,
    /// When it stands; empty: whenever the red line is held.
    pub held: Vec<Span>,
    pub evidence: Vec<Evidence>,
}

/// How a statement reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// A named speaker.
    OnRecord,
    /// An unnamed source.
    Attributed,
    /// The reporter's narration.
    Reported,
    /// An expert's view.
    Assessed,
}

/// Who says so.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Evidence {
    /// The position of its source.
    pub source: usize,
    pub kind: EvidenceKind,
    pub speaker: String,
    pub statement: String,
    pub quote: String,
    pub date: Option<Date>,
    /// Whether it speaks against the reading, not for it.
    pub against: bool,
    pub row: String,
}

/// A combination of terms that contradicts itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Constraint {
    pub id: Id,
    pub title: String,
    pub forbids: Condition,
}

/// A sourced text that somebody attached to such deals.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Caution {
    pub id: Id,
    pub text: String,
    pub when: Condition,
    pub evidence: Vec<Evidence>,
}

/// A party's view of an issue's options.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Preference {
    /// The position of its party.
    pub party: usize,
    pub issue: InputId,
    pub ranking: Ranking,
    pub evidence: Vec<Evidence>,
}

/// An order, or numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Ranking {
    /// Every value once, best first.
    Ordinal(Vec<Value>),
    /// Every value's number.
    Cardinal(Vec<(Value, f64)>),
}

/// An answer to one issue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// The issue.
    pub issue: InputId,
    /// The answer.
    pub answer: Answer,
}

/// A named set of terms, at most one for an issue.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the format's keys")]
pub struct Proposal {
    pub id: Id,
    pub title: String,
    pub description: String,
    pub terms: Vec<Term>,
    pub rows: Vec<String>,
}
