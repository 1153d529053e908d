//! The declaration of the scenario format: one `record!` for each kind of YAML mapping.
//!
//! The doc comments of records and their keys are the descriptions of the JSON Schema that `detente schema` prints.
//! Must not know of checks that involve more than one mapping.

use super::condition_text::Cel;
use super::deferred::{AnswersNode, NumbersNode, OrderNode, StatusQuoNode, ValueNode};
use super::diagnostics::{Faults, Place};
use super::document::{Content, Node};
use super::model::{EvidenceDirection, EvidenceKind, Firmness, Role};
use super::record::{At, EntryId, Kebab, Number, Probability, Read, SingleLine, Snake, Text, record, words};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// The kinds of issues and circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Choice,
    Members,
    Quantity,
}

words!(Kind {
    "flag" => Kind::Flag,
    "choice" => Kind::Choice,
    "members" => Kind::Members,
    "quantity" => Kind::Quantity,
});
words!(Role { "principal" => Role::Principal, "third_party" => Role::ThirdParty });
words!(Firmness {
    "absolute" => Firmness::Absolute,
    "firm" => Firmness::Firm,
    "negotiable" => Firmness::Negotiable,
    "tentative" => Firmness::Tentative,
});
words!(EvidenceKind {
    "on_record" => EvidenceKind::OnRecord,
    "attributed" => EvidenceKind::Attributed,
    "reported" => EvidenceKind::Reported,
    "assessed" => EvidenceKind::Assessed,
});
words!(EvidenceDirection { "for" => EvidenceDirection::For, "against" => EvidenceDirection::Against });

record! {
    /// One negotiation as data.
    ScenarioEntry, "a scenario" {
        /// The id of the scenario, in kebab-case.
        required scenario: Kebab,
        /// The title of the scenario, in one line.
        required title: SingleLine,
        /// What the scenario covers, and what it leaves out.
        optional description: Text,
        /// The days for which the scenario can be evaluated.
        required covers: CoversEntry,
        /// The day up to which the record of statements is complete; the default day of an evaluation.
        required as_of: At<Date>,
        /// The publications and records that the evidence cites.
        required sources: At<Vec<SourceEntry>>,
        /// The parties of the negotiation; at least one.
        required parties: At<Vec<PartyEntry>>,
        /// Named sets of options or members, for use in conditions.
        optional groups: At<Vec<GroupEntry>>,
        /// The questions that a deal may settle; at least one.
        required issues: At<Vec<IssueEntry>>,
        /// Facts that no deal settles.
        optional circumstances: At<Vec<CircumstanceEntry>>,
        /// The conditions of parties on any deal.
        required red_lines: At<Vec<RedLineEntry>>,
        /// Combinations of terms that contradict themselves.
        optional constraints: At<Vec<ConstraintEntry>>,
        /// Sourced warnings about deals for which a condition is true.
        optional cautions: At<Vec<CautionEntry>>,
        /// The preferences of parties between the values of an issue.
        optional preferences: At<Vec<PreferenceEntry>>,
        /// Reference proposals, which requests can name.
        optional proposals: At<Vec<ProposalEntry>>,
    }
}

record! {
    /// A range of days, both ends included.
    CoversEntry, "`covers`" {
        /// The first day of the range.
        required from: At<Date>,
        /// The last day of the range.
        required to: At<Date>,
    }
}

record! {
    /// A publication or record that evidence cites.
    SourceEntry, "a source" {
        /// The id of the source, in kebab-case.
        required id: At<Kebab>,
        /// The title of the source.
        required title: SingleLine,
        /// The publisher of the source.
        required publisher: SingleLine,
        /// The names of the authors.
        optional authors: Vec<SingleLine>,
        /// The date of publication, if the source prints one.
        optional published: At<Date>,
        /// The address at which the source can be found.
        optional url: SingleLine,
        /// What a reader should know about the source.
        optional note: Text,
    }
}

record! {
    /// A party of the negotiation.
    PartyEntry, "a party" {
        /// The id of the party, in snake_case.
        required id: At<Snake>,
        /// The name of the party.
        required name: SingleLine,
        /// The role of the party: a deal needs the consent of a principal, and may depend on a third party.
        required role: Role,
        /// A description of the party.
        optional description: Text,
        /// The party's utility without a deal. It is comparable with the sum of the numbers that the party's
        /// preferences (`values`) give to a deal's answers.
        optional reservation_value: Number,
    }
}

record! {
    /// A named set of options or members, for use in conditions.
    GroupEntry, "a group" {
        /// The id of the group, in snake_case; different from the ids of issues and circumstances.
        required id: At<Snake>,
        /// The name of the group.
        required name: SingleLine,
        /// The ids of options or members. Each must be in at least one issue or circumstance.
        required members: At<Vec<At<EntryId>>>,
        /// The reason why the members form a group.
        optional note: Text,
    }
}

record! {
    /// The range of a quantity, both ends included.
    RangeEntry, "`range`" {
        /// The least value.
        required min: At<i64>,
        /// The greatest value.
        required max: At<i64>,
    }
}

record! {
    /// A question that a deal may settle.
    IssueEntry, "an issue" {
        /// The id of the issue, in snake_case.
        required id: At<Snake>,
        /// The title of the issue, in one line.
        required title: SingleLine,
        /// What a deal settles with this issue, as a question.
        required question: SingleLine,
        /// The kind of the issue's values.
        required kind: At<Kind>,
        /// The options, for the kind `choice`; 2 to 64.
        optional options: At<Vec<Entry>>,
        /// The members, for the kind `members`; 1 to 64.
        optional members: At<Vec<Entry>>,
        /// The unit, for the kind `quantity`.
        optional unit: At<SingleLine>,
        /// The range of values, for the kind `quantity`.
        optional range: RangeEntry,
        /// What applies if a deal says nothing about the issue: a value, or a list of `{from, value}`. Default: the
        /// issue is unsettled.
        optional status_quo: StatusQuoNode,
        /// Codes from published taxonomies of peace agreements.
        optional taxonomy: Vec<SingleLine>,
        /// The labels (such as `P51`) of rows in a table of statements that you may keep outside the scenario.
        optional rows: Vec<SingleLine>,
        /// A remark.
        optional note: Text,
    }
}

record! {
    /// A fact that no deal settles.
    CircumstanceEntry, "a circumstance" {
        /// The id of the circumstance, in snake_case.
        required id: At<Snake>,
        /// The title of the circumstance, in one line.
        required title: SingleLine,
        /// The fact, as a question.
        required question: SingleLine,
        /// The kind of the circumstance's values.
        required kind: At<Kind>,
        /// The options, for the kind `choice`; 2 to 64.
        optional options: At<Vec<Entry>>,
        /// The members, for the kind `members`; 1 to 64.
        optional members: At<Vec<Entry>>,
        /// The unit, for the kind `quantity`.
        optional unit: At<SingleLine>,
        /// The range of values, for the kind `quantity`.
        optional range: RangeEntry,
        /// The assumed value. Without it, the circumstance is unknown.
        optional assumed: ValueNode,
        /// The evidence for the assumed value.
        optional evidence: At<Vec<EvidenceEntry>>,
        /// Codes for this fact from published taxonomies.
        optional taxonomy: Vec<SingleLine>,
        /// The labels (such as `P51`) of rows in a table of statements that you may keep outside the scenario.
        optional rows: Vec<SingleLine>,
        /// A remark.
        optional note: Text,
    }
}

/// An option or member: an id, or an id with a title.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: At<EntryId>,
    pub(super) title: String,
}

record! {
    /// An option or member with a title.
    TitledEntry, "an option or member" {
        /// The id of the option or member, in snake_case.
        required id: At<EntryId>,
        /// The title of the option or member, in one line.
        optional title: SingleLine,
    }
}

impl Read for Entry {
    fn read(node: &Node, faults: &mut Faults) -> Option<Self> {
        if matches!(node.content, Content::Mapping(_)) {
            let titled = TitledEntry::read(node, faults)?;
            return Some(Self { id: titled.id?, title: titled.title.map_or_else(String::new, |title| title.0) });
        }
        Some(Self { id: At::read(node, faults)?, title: String::new() })
    }
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        json!({"anyOf": [EntryId::schema(definitions), TitledEntry::schema(definitions)]})
    }
}

record! {
    /// A span of days on which a red line is held or a waiver is in force.
    SpanEntry, "a span" {
        /// The first day of the span, if a source states it.
        optional from: At<Date>,
        /// The first day on which the red line or waiver is recorded, if no source states when it began.
        optional first_recorded: At<Date>,
        /// The first day after the span. Without this key, the span has no end.
        optional until: At<Date>,
    }
    exactly one of from, first_recorded
}

record! {
    /// A party's condition on any deal.
    RedLineEntry, "a red line" {
        /// The id of the red line, in kebab-case.
        required id: At<Kebab>,
        /// The id of the party that holds the red line.
        required party: At<Snake>,
        /// What the party will not accept, in one line.
        required title: SingleLine,
        /// A condition in the language CEL: the red line is crossed if the condition is true.
        optional rejects: Cel,
        /// A condition in the language CEL: the red line is crossed if the condition is false.
        optional requires: Cel,
        /// The firmness of the red line, without its waivers.
        required firmness: At<Firmness>,
        /// The spans in which the red line is held, in order and without overlaps; at least one.
        required held: At<Vec<SpanEntry>>,
        /// The evidence for the red line; at least one piece.
        required evidence: At<Vec<EvidenceEntry>>,
        /// Conditions under which a crossing counts with a lower firmness.
        optional waivers: At<Vec<WaiverEntry>>,
        /// The probability, in the opinion of the file's author, that a crossing would in fact undo a deal: 0 to 1.
        optional binding_probability: Probability,
    }
    exactly one of rejects, requires
}

record! {
    /// A condition under which a crossing counts with a lower firmness.
    WaiverEntry, "a waiver" {
        /// The id of the waiver, in kebab-case; unique within the red line.
        required id: At<Kebab>,
        /// What the waiver allows, in one line.
        required title: SingleLine,
        /// A condition: the waiver applies if the condition is true.
        required when: Cel,
        /// The highest firmness with which a crossing counts if the waiver applies; lower than that of the red line.
        required firmness: At<Firmness>,
        /// The spans in which the waiver is in force; default: whenever the red line is held.
        optional held: At<Vec<SpanEntry>>,
        /// The evidence for the waiver; at least one piece.
        required evidence: At<Vec<EvidenceEntry>>,
    }
}

record! {
    /// A piece of evidence: who said what, and where that is recorded.
    EvidenceEntry, "evidence" {
        /// The id of the source.
        required source: At<Kebab>,
        /// How the statement is known: a named speaker, an unnamed source, a reporter's narration or an expert's view.
        required kind: EvidenceKind,
        /// The person who said it; for a narration, the narrator.
        required speaker: SingleLine,
        /// What the speaker said, in your own words.
        required statement: Text,
        /// The exact words, at most 15, if the wording itself matters.
        optional quote: At<Text>,
        /// The day on which the speaker said it, if known.
        optional date: At<Date>,
        /// Whether the statement supports what this file says (`for`, the default) or contradicts it (`against`).
        optional speaks: EvidenceDirection,
        /// The label, such as `P51`, of the row in a table of statements that you may keep outside the scenario.
        optional row: SingleLine,
    }
}

record! {
    /// A combination of terms that contradicts itself.
    ConstraintEntry, "a constraint" {
        /// The id of the constraint, in kebab-case.
        required id: At<Kebab>,
        /// What contradicts what, in one line.
        required title: SingleLine,
        /// A condition: the constraint is broken if the condition is true.
        required forbids: Cel,
    }
}

record! {
    /// A sourced warning about deals for which a condition is true.
    CautionEntry, "a caution" {
        /// The id of the caution, in kebab-case.
        required id: At<Kebab>,
        /// The warning, in your own words.
        required text: Text,
        /// A condition: the caution is shown if the condition is true.
        required when: Cel,
        /// The evidence for the warning; at least one piece.
        required evidence: At<Vec<EvidenceEntry>>,
    }
}

record! {
    /// A party's preference between the values of an issue.
    PreferenceEntry, "a preference" {
        /// The id of the party.
        required party: At<Snake>,
        /// The id of the issue.
        required issue: At<Snake>,
        /// A list of every value, each once, best first.
        optional order: OrderNode,
        /// A map from every value to a number; greater is better.
        optional values: NumbersNode,
        /// The evidence for the preference; at least one piece.
        required evidence: At<Vec<EvidenceEntry>>,
    }
    exactly one of order, values
}

record! {
    /// A reference proposal, which requests can name: a set of terms, at most one per issue.
    ProposalEntry, "a proposal" {
        /// The id of the proposal, in kebab-case.
        required id: At<Kebab>,
        /// The title of the proposal, in one line.
        required title: SingleLine,
        /// A description of the proposal.
        optional description: Text,
        /// A map from the id of an issue to the answer.
        required terms: AnswersNode,
        /// The labels (such as `P51`) of rows in a table of statements that you may keep outside the scenario.
        optional rows: Vec<SingleLine>,
    }
}

/// Returns the JSON Schema (draft 2020-12) of the scenario format.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let root = ScenarioEntry::schema(&mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Détente scenario",
        "$defs": definitions,
    });
    if let (Some(schema), Some(root)) = (schema.as_object_mut(), root.as_object()) {
        schema.extend(root.clone());
    }
    schema
}
