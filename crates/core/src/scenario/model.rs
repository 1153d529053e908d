//! A scenario as data: everything that was stated, by whom, and when. Immutable once loaded.
//!
//! References between parts are positions, which are resolved when the file is read and are always in range. Must not
//! know of the file format or of evaluation.

use super::date_range::DateRange;
use super::ids::{
    CautionId, ConstraintId, GroupId, InputId, PartyId, ProposalId, RedLineId, ScenarioId, SourceId, WaiverId,
};
use super::index::{CautionIndex, ConstraintIndex, IndexVec, PartyIndex, RedLineIndex, SourceIndex, WaiverIndex};
use detente_condition::{Answer, Cubes, Decision, Domain, Formula, InputIndex, Space, Value, Vocabulary};
use jiff::civil::Date;
use std::fmt;
use std::sync::Arc;

/// The revision of a scenario: a hash of its canonical content and of the version of the rules of evaluation.
///
/// 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub(super) Arc<str>);

impl Revision {
    /// Returns the 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One negotiation as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The id of the scenario, as in `scenarios/{id}`.
    pub id: ScenarioId,
    /// The title of the scenario, in one line.
    pub title: String,
    /// The description of the scenario; empty if the file has none.
    pub description: String,
    /// The days for which the scenario can be evaluated.
    pub covers: DateRange,
    /// The day, within `covers`, up to which the record of statements is complete; the default day of an evaluation.
    pub as_of: Date,
    /// The hash of the content.
    pub revision: Revision,
    /// The publications and records that the evidence cites.
    pub sources: IndexVec<SourceIndex, Source>,
    /// The parties of the negotiation; at least one.
    pub parties: IndexVec<PartyIndex, Party>,
    /// The named sets of options or members.
    pub groups: Vec<Group>,
    /// The issues, followed by the circumstances.
    pub inputs: IndexVec<InputIndex, Input>,
    /// The number of issues in `inputs`.
    pub issue_count: usize,
    /// The names that a condition may use: inputs and groups.
    pub vocabulary: Vocabulary,
    /// For each input, the values that the conditions of the scenario can distinguish, as bits of a mask.
    pub space: Space,
    /// The red lines of all parties.
    pub red_lines: IndexVec<RedLineIndex, RedLine>,
    /// The combinations of terms that contradict themselves.
    pub constraints: IndexVec<ConstraintIndex, Constraint>,
    /// The sourced warnings about deals for which a condition is true.
    pub cautions: IndexVec<CautionIndex, Caution>,
    /// The preferences of parties.
    pub preferences: Vec<Preference>,
    /// The reference proposals: those of the scenario itself, which requests can name.
    pub proposals: Vec<Proposal>,
}

impl Scenario {
    /// Returns the issues.
    pub fn issues(&self) -> &[Input] {
        self.inputs.as_slice().get(..self.issue_count).unwrap_or_default()
    }

    /// Returns the circumstances.
    pub fn circumstances(&self) -> &[Input] {
        self.inputs.as_slice().get(self.issue_count..).unwrap_or_default()
    }

    /// Finds an issue or circumstance by its id.
    pub fn input(&self, id: &str) -> Option<(InputIndex, &Input)> {
        self.inputs.indexed().find(|(_, input)| input.id.as_str() == id)
    }

    /// Whether an input is an issue; otherwise it is a circumstance.
    pub fn is_issue(&self, input: InputIndex) -> bool {
        input.index() < self.issue_count
    }

    /// Finds the position of a party by its id.
    pub fn party(&self, id: &str) -> Option<PartyIndex> {
        self.parties.index_of(|party| party.id.as_str() == id)
    }

    /// Finds the position of a red line by its id.
    pub fn red_line(&self, id: &str) -> Option<RedLineIndex> {
        self.red_lines.index_of(|red_line| red_line.id.as_str() == id)
    }

    /// Finds a reference proposal by its id.
    pub fn proposal(&self, id: &str) -> Option<&Proposal> {
        self.proposals.iter().find(|proposal| proposal.id.as_str() == id)
    }
}

/// A publication or record that evidence cites.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Source {
    pub id: SourceId,
    pub title: String,
    pub publisher: String,
    pub authors: Vec<String>,
    pub published: Option<Date>,
    pub url: String,
    pub note: String,
}

/// A party of the negotiation.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Party {
    pub id: PartyId,
    pub name: String,
    pub role: Role,
    pub description: String,
    /// The party's utility without a deal, a finite number. It is comparable with the sum of the numbers that the
    /// party's preferences give to a deal's answers.
    pub reservation_value: Option<f64>,
}

/// The part that a party plays in a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// There is no deal without the party's consent.
    Principal,
    /// A deal may depend on the party, and fails in delivery if the party refuses.
    ThirdParty,
}

/// A named set of options or members, which conditions can use.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    /// The ids of the options or members, spelt as in the domains of the inputs.
    pub members: Arc<[Arc<str>]>,
    pub note: String,
}

/// An issue (a question that a deal may settle) or a circumstance (a fact that no deal settles).
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The id of the issue or circumstance.
    pub id: InputId,
    /// The title, in one line.
    pub title: String,
    /// The question that the value answers.
    pub question: String,
    /// The possible values.
    pub domain: Domain,
    /// The titles of the options or members, in the order of the domain; empty if the file has none.
    pub entry_titles: Vec<String>,
    /// The unit of a quantity; empty for other kinds.
    pub unit: String,
    /// The values that hold if a request says nothing about the input, ascending by day.
    ///
    /// For an issue, the status quo; for a circumstance, at most one assumed value. If the list is empty, the issue is
    /// unsettled or the circumstance is unknown.
    pub defaults: Vec<Dated>,
    /// Codes from published taxonomies of peace agreements.
    pub taxonomy: Vec<String>,
    /// The labels (such as `P51`) of rows in a table of statements that the scenario's author keeps.
    pub rows: Vec<String>,
    /// A remark; empty if the file has none.
    pub note: String,
    /// The evidence for the assumed value of a circumstance; empty for issues.
    pub evidence: Vec<Evidence>,
}

/// A value that holds from a certain day on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dated {
    /// The first day on which the value holds; `None`: the value holds from the beginning.
    pub from: Option<Date>,
    /// The value.
    pub value: Value,
}

/// The firmness of a red line. Ordered by firmness; `Absolute` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Firmness {
    /// The party did not state the red line as a condition: it is a complaint, an inference, a speculation or a dated
    /// aim.
    Tentative,
    /// The party stated the red line, and a willingness to negotiate was signalled or reported.
    Negotiable,
    /// The party stated the red line as a condition.
    Firm,
    /// The party stated the red line as absolute: never, no compromise.
    Absolute,
}

impl Firmness {
    /// All values, from the least to the greatest.
    pub const ALL: [Firmness; 4] = [Firmness::Tentative, Firmness::Negotiable, Firmness::Firm, Firmness::Absolute];

    /// Returns the word for the firmness in files and texts.
    pub fn word(self) -> &'static str {
        match self {
            Firmness::Tentative => "tentative",
            Firmness::Negotiable => "negotiable",
            Firmness::Firm => "firm",
            Firmness::Absolute => "absolute",
        }
    }
}

/// A span of days on which a red line is held or a waiver is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first day of the span.
    pub from: Date,
    /// How `from` is known.
    pub beginning: Beginning,
    /// The first day after the span; `None` if the span has no end.
    pub until: Option<Date>,
}

/// How the first day of a span is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Beginning {
    /// The span begins on a stated day.
    Stated,
    /// The span began on an unknown day, not later than the first day that the record shows.
    FirstRecorded,
}

impl Span {
    /// Whether the span contains a day.
    pub fn contains(&self, day: Date) -> bool {
        self.meets(DateRange::of_day(day))
    }

    /// Whether the span contains at least one day of a range.
    pub fn meets(&self, days: DateRange) -> bool {
        self.from <= days.last() && self.until.is_none_or(|until| days.first() < until)
    }
}

/// A condition: its text, its formula, and the form to which it is compiled in the scenario's `space`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The text in CEL, on one line unless it contains a comment.
    pub text: String,
    /// The typed formula of the text.
    pub formula: Formula,
    /// The prime implicants of the formula and of its negation: all minimal conjunctions of tests that make the formula
    /// true, or false.
    pub decision: Decision,
}

/// Whether a red line is crossed if its condition is true, or if its condition is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Polarity {
    /// The red line is crossed if the condition is true.
    Rejects,
    /// The red line is crossed if the condition is false.
    Requires,
}

impl Polarity {
    /// Returns the word for the polarity in files and texts.
    pub fn word(self) -> &'static str {
        match self {
            Polarity::Rejects => "rejects",
            Polarity::Requires => "requires",
        }
    }

    /// Turns the formula of a condition into the formula that is true exactly if the red line is crossed.
    pub fn crossed(self, condition: Formula) -> Formula {
        match self {
            Polarity::Rejects => condition,
            Polarity::Requires => condition.negated(),
        }
    }

    /// Returns the prime implicants (minimal conjunctions of tests) of "crossed" and of "not crossed".
    pub fn sides(self, condition: &Decision) -> (&Cubes, &Cubes) {
        let Decision { holds, fails } = condition;
        match self {
            Polarity::Rejects => (holds, fails),
            Polarity::Requires => (fails, holds),
        }
    }
}

/// A party's condition on any deal.
#[derive(Clone, Debug, PartialEq)]
pub struct RedLine {
    /// The id of the red line.
    pub id: RedLineId,
    /// The party that holds the red line.
    pub party: PartyIndex,
    /// What the party will not accept, in one line.
    pub title: String,
    /// Whether the party rejects or requires what the condition describes.
    pub polarity: Polarity,
    /// The condition.
    pub condition: Condition,
    /// The firmness of the red line, without its waivers.
    pub firmness: Firmness,
    /// The spans in which the red line is held, ascending and disjoint; at least one.
    pub held: Vec<Span>,
    /// The evidence for the red line; at least one piece.
    pub evidence: Vec<Evidence>,
    /// The conditions under which a crossing counts with a lower firmness.
    pub waivers: IndexVec<WaiverIndex, Waiver>,
    /// The probability, in the opinion of the scenario's author, that a crossing would in fact undo a deal: 0 to 1.
    pub binding_probability: Option<f64>,
}

impl RedLine {
    /// Returns the formula that is true exactly if the red line is crossed.
    pub fn crossed(&self) -> Formula {
        self.polarity.crossed(self.condition.formula.clone())
    }

    /// Returns the prime implicants (minimal conjunctions of tests) of "crossed" and of "not crossed".
    pub fn sides(&self) -> (&Cubes, &Cubes) {
        self.polarity.sides(&self.condition.decision)
    }
}

/// A condition under which a crossing counts with a lower firmness.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Waiver {
    pub id: WaiverId,
    pub title: String,
    pub when: Condition,
    pub firmness: Firmness,
    /// The spans in which the waiver is in force; if empty, whenever the red line is held.
    pub held: Vec<Span>,
    pub evidence: Vec<Evidence>,
}

/// How a statement is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// A named speaker said it on the record.
    OnRecord,
    /// An unnamed source said it.
    Attributed,
    /// A reporter narrates it.
    Reported,
    /// An expert assesses it.
    Assessed,
}

/// Whether evidence speaks for or against what the scenario says, such as that a party holds a red line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EvidenceDirection {
    /// The statement supports what the scenario says.
    #[default]
    For,
    /// The statement contradicts what the scenario says.
    Against,
}

impl EvidenceDirection {
    /// Returns the word for the direction in files.
    pub fn word(self) -> &'static str {
        match self {
            EvidenceDirection::For => "for",
            EvidenceDirection::Against => "against",
        }
    }
}

/// A statement that supports or contradicts a part of the scenario, with its speaker and source.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Evidence {
    pub source: SourceIndex,
    pub kind: EvidenceKind,
    pub speaker: String,
    pub statement: String,
    pub quote: String,
    pub date: Option<Date>,
    /// The content of the key `speaks`.
    pub direction: EvidenceDirection,
    pub row: String,
}

/// A combination of terms that contradicts itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Constraint {
    pub id: ConstraintId,
    pub title: String,
    pub forbids: Condition,
}

/// A sourced warning about deals for which a condition holds.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Caution {
    pub id: CautionId,
    pub text: String,
    pub when: Condition,
    pub evidence: Vec<Evidence>,
}

/// A party's preference between the values of an issue.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Preference {
    pub party: PartyIndex,
    pub issue: InputIndex,
    pub ranking: Ranking,
    pub evidence: Vec<Evidence>,
}

/// The ranking of an issue's values: an order or a number for each value.
#[derive(Clone, Debug, PartialEq)]
pub enum Ranking {
    /// Every value once, best first.
    Ordinal(Vec<Value>),
    /// Every value once, with a number; greater is better.
    Cardinal(Vec<(Value, f64)>),
}

/// A term of a proposal: the answer to one issue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// The issue.
    pub issue: InputIndex,
    /// The answer; it may leave several values open.
    pub answer: Answer,
}

/// A reference proposal: a named set of terms, at most one per issue.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "docs/scenario-format.md describes the fields")]
pub struct Proposal {
    pub id: ProposalId,
    pub title: String,
    pub description: String,
    pub terms: Vec<Term>,
    pub rows: Vec<String>,
}
