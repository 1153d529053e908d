//! The scenario format, declared: one record for each mapping.

use super::deferred::{AnswersNode, NumbersNode, OrderNode, StatusQuoNode, ValueNode};
use super::diagnostics::{Faults, Place};
use super::document::{Content, Node};
use super::model::{EvidenceKind, Firmness, Role};
use super::record::{At, Cel, EntryId, Kebab, Number, Probability, Read, SingleLine, Snake, Text, record, words};
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

/// Whether evidence speaks for or against a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    For,
    Against,
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
words!(Speaks { "for" => Speaks::For, "against" => Speaks::Against });

record! {
    /// One negotiation as data.
    ScenarioEntry, "a scenario" {
        /// The scenario's id.
        required scenario: Kebab,
        /// A line of text.
        required title: SingleLine,
        /// What it is, and what it leaves out.
        optional description: Text,
        /// The days for which it can be evaluated.
        required covers: CoversEntry,
        /// The day to which the record is complete; the default day of an evaluation.
        required as_of: At<Date>,
        /// Where its statements come from.
        required sources: At<Vec<SourceEntry>>,
        /// The actors.
        required parties: At<Vec<PartyEntry>>,
        /// Named sets of options or members, for conditions.
        optional groups: At<Vec<GroupEntry>>,
        /// Questions that a deal may settle.
        required issues: At<Vec<IssueEntry>>,
        /// Facts that no deal settles.
        optional circumstances: At<Vec<CircumstanceEntry>>,
        /// Parties' conditions on any deal.
        required red_lines: At<Vec<RedLineEntry>>,
        /// Combinations of terms that contradict themselves.
        optional constraints: At<Vec<ConstraintEntry>>,
        /// Sourced texts attached to such deals.
        optional cautions: At<Vec<CautionEntry>>,
        /// Parties' orders of options.
        optional preferences: At<Vec<PreferenceEntry>>,
        /// Reference proposals.
        optional proposals: At<Vec<ProposalEntry>>,
    }
}

record! {
    /// A span of days, both included.
    CoversEntry, "`covers`" {
        /// The first day.
        required from: At<Date>,
        /// The last day.
        required to: At<Date>,
    }
}

record! {
    /// A publication or record.
    SourceEntry, "a source" {
        /// Its id.
        required id: At<Kebab>,
        /// Its title.
        required title: SingleLine,
        /// Who published it.
        required publisher: SingleLine,
        /// Who wrote it.
        optional authors: Vec<SingleLine>,
        /// When it was published, where it prints a date.
        optional published: At<Date>,
        /// Where it can be read.
        optional url: SingleLine,
        /// What a reader should know of it.
        optional note: Text,
    }
}

record! {
    /// An actor.
    PartyEntry, "a party" {
        /// Its id.
        required id: At<Snake>,
        /// Its name.
        required name: SingleLine,
        /// What a deal needs of it.
        required role: Role,
        /// A remark.
        optional description: Text,
        /// The utility that it gets without a deal, in the units of its cardinal preferences.
        optional reservation_value: Number,
    }
}

record! {
    /// A named set of options or members, for conditions.
    GroupEntry, "a group" {
        /// Its id.
        required id: At<Snake>,
        /// Its name.
        required name: SingleLine,
        /// Ids of options or members.
        required members: At<Vec<At<EntryId>>>,
        /// Why these belong together.
        optional note: Text,
    }
}

record! {
    /// The ends of a quantity, both included.
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
        /// Its id.
        required id: At<Snake>,
        /// A line of text.
        required title: SingleLine,
        /// What a deal settles here, as a question.
        required question: SingleLine,
        /// What it ranges over.
        required kind: At<Kind>,
        /// A choice's options.
        optional options: At<Vec<Entry>>,
        /// A members issue's members.
        optional members: At<Vec<Entry>>,
        /// What a quantity counts.
        optional unit: At<SingleLine>,
        /// A quantity's ends.
        optional range: RangeEntry,
        /// What holds when a deal is silent: a value, or a list of `{from, value}`.
        optional status_quo: StatusQuoNode,
        /// Codes of published taxonomies of peace agreements.
        optional taxonomy: Vec<SingleLine>,
        /// Rows of the author's own register.
        optional rows: Vec<SingleLine>,
        /// A remark.
        optional note: Text,
    }
}

record! {
    /// A fact that no deal settles.
    CircumstanceEntry, "a circumstance" {
        /// Its id.
        required id: At<Snake>,
        /// A line of text.
        required title: SingleLine,
        /// The fact, as a question.
        required question: SingleLine,
        /// What it ranges over.
        required kind: At<Kind>,
        /// A choice's options.
        optional options: At<Vec<Entry>>,
        /// The members.
        optional members: At<Vec<Entry>>,
        /// What a quantity counts.
        optional unit: At<SingleLine>,
        /// A quantity's ends.
        optional range: RangeEntry,
        /// What is assumed; without it, it is unknown.
        optional assumed: ValueNode,
        /// Who says so.
        optional evidence: At<Vec<EvidenceEntry>>,
        /// Codes of published taxonomies.
        optional taxonomy: Vec<SingleLine>,
        /// Rows of the author's own register.
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
        /// Its id.
        required id: At<EntryId>,
        /// A line of text.
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
    /// A span of days in which something is held.
    SpanEntry, "a span" {
        /// The first day, where the beginning is stated.
        optional from: At<Date>,
        /// The first day that the record shows, where the beginning is not stated.
        optional first_recorded: At<Date>,
        /// The first day on which it is no longer held.
        optional until: At<Date>,
    }
    exactly one of from, first_recorded
}

record! {
    /// A party's condition on any deal.
    RedLineEntry, "a red line" {
        /// Its id.
        required id: At<Kebab>,
        /// The id of the party whose it is.
        required party: At<Snake>,
        /// What the party will not have, in a line.
        required title: SingleLine,
        /// A condition: crossed when it holds.
        optional rejects: Cel,
        /// A condition: crossed when it does not hold.
        optional requires: Cel,
        /// How firmly it is held.
        required firmness: At<Firmness>,
        /// When it is held.
        required held: At<Vec<SpanEntry>>,
        /// Who says so; at least one.
        required evidence: At<Vec<EvidenceEntry>>,
        /// Under what a crossing counts less.
        optional waivers: At<Vec<WaiverEntry>>,
        /// How probable it is, as the author of the file takes it, that a crossing would in fact undo a deal: 0 to 1.
        optional binding_probability: Probability,
    }
    exactly one of rejects, requires
}

record! {
    /// A condition under which a crossing counts with a lower firmness.
    WaiverEntry, "a waiver" {
        /// Its id within the red line.
        required id: At<Kebab>,
        /// What it allows, in a line.
        required title: SingleLine,
        /// The condition.
        required when: Cel,
        /// The firmness with which a crossing then counts at most.
        required firmness: At<Firmness>,
        /// When it stands; without it, whenever the red line is held.
        optional held: At<Vec<SpanEntry>>,
        /// Who says so; at least one.
        required evidence: At<Vec<EvidenceEntry>>,
    }
}

record! {
    /// Who says so.
    EvidenceEntry, "evidence" {
        /// The id of its source.
        required source: At<Kebab>,
        /// How the statement reached us.
        required kind: EvidenceKind,
        /// Who said it; for a narration, whose it is.
        required speaker: SingleLine,
        /// What was said, in your own words.
        required statement: Text,
        /// Exact words, 15 at most, where the wording itself is the fact.
        optional quote: At<Text>,
        /// The day on which it was said, where known.
        optional date: At<Date>,
        /// Whether it speaks for (the default) or against the reading.
        optional speaks: Speaks,
        /// The row of the author's own register.
        optional row: SingleLine,
    }
}

record! {
    /// A combination of terms that contradicts itself.
    ConstraintEntry, "a constraint" {
        /// Its id.
        required id: At<Kebab>,
        /// What contradicts what.
        required title: SingleLine,
        /// A condition: broken where it holds.
        required forbids: Cel,
    }
}

record! {
    /// A sourced text attached to such deals.
    CautionEntry, "a caution" {
        /// Its id.
        required id: At<Kebab>,
        /// What was said, in your own words.
        required text: Text,
        /// A condition: shown where it holds.
        required when: Cel,
        /// Who says so; at least one.
        required evidence: At<Vec<EvidenceEntry>>,
    }
}

record! {
    /// A party's view of an issue's options.
    PreferenceEntry, "a preference" {
        /// The party's id.
        required party: At<Snake>,
        /// The issue's id.
        required issue: At<Snake>,
        /// Every value once, best first.
        optional order: OrderNode,
        /// A map from every value to a number.
        optional values: NumbersNode,
        /// Who says so; at least one.
        required evidence: At<Vec<EvidenceEntry>>,
    }
    exactly one of order, values
}

record! {
    /// A set of terms, at most one for an issue.
    ProposalEntry, "a proposal" {
        /// Its id.
        required id: At<Kebab>,
        /// A line of text.
        required title: SingleLine,
        /// What it is.
        optional description: Text,
        /// A map from issue to answer.
        required terms: AnswersNode,
        /// Rows of the author's own register.
        optional rows: Vec<SingleLine>,
    }
}

/// The JSON Schema of the format.
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
