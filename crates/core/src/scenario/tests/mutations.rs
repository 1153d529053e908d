//! Tests that the diff reports a change of any single field in the model of the bundled scenario.

use crate::scenario::diff::diff;
use crate::scenario::ids::{
    CautionId, ConstraintId, GroupId, InputId, PartyId, ProposalId, RedLineId, ScenarioId, SourceId, WaiverId,
};
use crate::scenario::index::{PartyIndex, SourceIndex};
use crate::scenario::model::{
    Beginning, Caution, Constraint, Dated, Evidence, EvidenceDirection, EvidenceKind, Firmness, Group, Input, Party,
    Polarity, Preference, Proposal, Ranking, RedLine, Role, Scenario, Source, Span, Waiver,
};
use crate::scenario::{DateRange, load, revision};
use detente_condition::{Answer, Domain, EntryIndex, InputIndex, Value};
use jiff::civil::{Date, date};
use std::sync::Arc;

const BUNDLED: &str = include_str!("../../../../../scenarios/ukraine-2025.yaml");
const DAY: Date = date(2024, 2, 29);

fn other_text(text: &mut String) {
    text.push_str(" Otherwise.");
}

fn other_date(date: &mut Option<Date>) {
    *date = if *date == Some(DAY) { None } else { Some(DAY) };
}

fn other_firmness(firmness: &mut Firmness) {
    *firmness = if *firmness == Firmness::Firm { Firmness::Tentative } else { Firmness::Firm };
}

fn other_direction(direction: &mut EvidenceDirection) {
    *direction = match direction {
        EvidenceDirection::For => EvidenceDirection::Against,
        EvidenceDirection::Against => EvidenceDirection::For,
    };
}

fn other_beginning(beginning: &mut Beginning) {
    *beginning = match beginning {
        Beginning::Stated => Beginning::FirstRecorded,
        Beginning::FirstRecorded => Beginning::Stated,
    };
}

fn other_polarity(polarity: &mut Polarity) {
    *polarity = match polarity {
        Polarity::Rejects => Polarity::Requires,
        Polarity::Requires => Polarity::Rejects,
    };
}

type Edit<T> = fn(&mut T);

const EVIDENCE: [Edit<Evidence>; 8] = [
    |piece| piece.source = SourceIndex(usize::from(piece.source == SourceIndex(0))),
    |piece| {
        piece.kind = if piece.kind == EvidenceKind::Assessed { EvidenceKind::OnRecord } else { EvidenceKind::Assessed }
    },
    |piece| other_text(&mut piece.speaker),
    |piece| other_text(&mut piece.statement),
    |piece| other_text(&mut piece.quote),
    |piece| other_date(&mut piece.date),
    |piece| other_direction(&mut piece.direction),
    |piece| other_text(&mut piece.row),
];

const SPANS: [Edit<Vec<Span>>; 4] = [
    |spans| spans.iter_mut().for_each(|span| span.from = DAY),
    |spans| spans.iter_mut().for_each(|span| other_beginning(&mut span.beginning)),
    |spans| spans.iter_mut().for_each(|span| other_date(&mut span.until)),
    |spans| spans.push(Span { from: DAY, beginning: Beginning::Stated, until: None }),
];

const INPUT: [Edit<Input>; 9] = [
    |input| input.id = InputId::new("other"),
    |input| other_text(&mut input.title),
    |input| other_text(&mut input.question),
    |input| match &mut input.domain {
        Domain::Flag => input.domain = Domain::Quantity { min: 0, max: 1 },
        Domain::Choice(entries) | Domain::Members(entries) => edit_list(entries, |list| list.push("other".into())),
        Domain::Quantity { max, .. } => *max += 1,
    },
    |input| input.entry_titles.iter_mut().for_each(other_text),
    |input| other_text(&mut input.unit),
    |input| input.taxonomy.push("other".to_owned()),
    |input| input.rows.push("other".to_owned()),
    |input| other_text(&mut input.note),
];

fn edit_list<T: Clone>(list: &mut Arc<[T]>, edit: impl FnOnce(&mut Vec<T>)) {
    let mut edited = list.to_vec();
    edit(&mut edited);
    *list = edited.into();
}

fn remove_last<T>(list: &mut Vec<T>) {
    list.pop();
}

fn rotate<T>(list: &mut [T]) {
    list.rotate_left(list.len().min(1));
}

struct Mutations {
    original: Scenario,
    reported: usize,
}

impl Mutations {
    /// Applies an edit, and asserts that the diff reports a change exactly if the revision changes.
    fn check(&mut self, what: &str, edit: impl FnOnce(&mut Scenario)) {
        let mut changed = self.original.clone();
        edit(&mut changed);
        changed.revision = revision::of(&changed);
        let changes = diff(&self.original, &changed);
        assert_eq!(changes.is_empty(), changed.revision == self.original.revision, "{what}: {changes:#?}");
        let back = diff(&changed, &self.original);
        assert_eq!(changes.len(), back.len(), "{what}: {changes:#?} {back:#?}");
        self.reported += usize::from(!changes.is_empty());
    }

    /// Checks each edit on each entry of a list, then the list without its last entry, then the list rotated.
    fn each<T>(&mut self, what: &str, list: fn(&mut Scenario) -> &mut Vec<T>, edits: &[Edit<T>]) {
        for at in 0..list(&mut self.original.clone()).len() {
            for (number, edit) in edits.iter().enumerate() {
                self.check(&format!("{what} {at}, edit {number}"), |scenario| edit(&mut list(scenario)[at]));
            }
        }
        self.check(&format!("{what} without the last"), |scenario| remove_last(list(scenario)));
        self.check(&format!("{what} rotated"), |scenario| rotate(list(scenario)));
    }

    /// Checks each edit of evidence on each piece of the list that `place` selects.
    fn evidence(&mut self, what: &str, place: impl Fn(&mut Scenario) -> Option<&mut Vec<Evidence>>) {
        let count = place(&mut self.original.clone()).map_or(0, |pieces| pieces.len());
        for at in 0..count {
            for (number, edit) in EVIDENCE.iter().enumerate() {
                self.check(&format!("{what}, evidence {at}, edit {number}"), |scenario| {
                    place(scenario).into_iter().for_each(|pieces| edit(&mut pieces[at]));
                });
            }
        }
        for edit in [remove_last::<Evidence>, |pieces: &mut Vec<Evidence>| rotate(pieces)] {
            self.check(what, |scenario| place(scenario).into_iter().for_each(edit));
        }
    }
}

#[test]
fn a_change_of_any_field_of_the_bundled_scenario_is_reported() {
    let mut original = load("ukraine-2025.yaml", BUNDLED).unwrap_or_else(|faults| panic!("{faults}"));
    // Add the kinds of parts that the bundled scenario does not contain.
    let evidence = original.red_lines[0].evidence.clone();
    let ranking = Ranking::Ordinal(vec![
        Value::Choice(EntryIndex(0)),
        Value::Choice(EntryIndex(1)),
        Value::Choice(EntryIndex(2)),
    ]);
    let numbers = Ranking::Cardinal(vec![(Value::Flag(false), 0.0), (Value::Flag(true), 1.5)]);
    for (party, issue, ranking) in [(0, 0, ranking), (1, 2, numbers)] {
        original.preferences.push(Preference {
            party: PartyIndex(party),
            issue: InputIndex(issue),
            ranking,
            evidence: evidence.clone(),
        });
    }
    original.inputs.last_mut().unwrap().evidence.clone_from(&evidence);
    original.revision = revision::of(&original);
    let mut all = Mutations { original, reported: 0 };

    let of_itself: [Edit<Scenario>; 7] = [
        |scenario| scenario.id = ScenarioId::new("other"),
        |scenario| other_text(&mut scenario.title),
        |scenario| other_text(&mut scenario.description),
        |scenario| scenario.covers = DateRange::new(DAY, scenario.covers.last()).unwrap(),
        |scenario| scenario.covers = scenario.covers.joined(DateRange::of_day(date(2032, 2, 29))),
        |scenario| scenario.as_of = DAY,
        |scenario| scenario.issue_count -= 1,
    ];
    of_itself.into_iter().enumerate().for_each(|(number, edit)| all.check(&format!("itself, edit {number}"), edit));
    all.each::<Source>(
        "source",
        |scenario| &mut scenario.sources,
        &[
            |source| source.id = SourceId::new("other"),
            |source| other_text(&mut source.title),
            |source| other_text(&mut source.publisher),
            |source| source.authors.push("Another".to_owned()),
            |source| rotate(&mut source.authors),
            |source| other_date(&mut source.published),
            |source| other_text(&mut source.url),
            |source| other_text(&mut source.note),
        ],
    );
    all.each::<Party>(
        "party",
        |scenario| &mut scenario.parties,
        &[
            |party| party.id = PartyId::new("other"),
            |party| other_text(&mut party.name),
            |party| party.role = if party.role == Role::Principal { Role::ThirdParty } else { Role::Principal },
            |party| other_text(&mut party.description),
            |party| party.reservation_value = Some(0.5),
        ],
    );
    all.each::<Group>(
        "group",
        |scenario| &mut scenario.groups,
        &[
            |group| group.id = GroupId::new("other"),
            |group| other_text(&mut group.name),
            |group| edit_list(&mut group.members, remove_last),
            |group| edit_list(&mut group.members, |members| rotate(members)),
            |group| other_text(&mut group.note),
        ],
    );
    all.each::<Input>("input", |scenario| &mut scenario.inputs, &INPUT);
    all.each::<Dated>(
        "default",
        |scenario| &mut scenario.inputs[0].defaults,
        &[
            |dated| dated.from = Some(DAY),
            |dated| {
                dated.value = Value::Choice(EntryIndex(2));
            },
        ],
    );
    all.each::<RedLine>(
        "red line",
        |scenario| &mut scenario.red_lines,
        &[
            |line| line.id = RedLineId::new("other"),
            |line| line.party = PartyIndex(usize::from(line.party == PartyIndex(0))),
            |line| other_text(&mut line.title),
            |line| other_polarity(&mut line.polarity),
            |line| other_text(&mut line.condition.text),
            |line| other_firmness(&mut line.firmness),
            |line| line.binding_probability = Some(line.binding_probability.map_or(0.5, |stated| stated / 2.0)),
            |line| SPANS[0](&mut line.held),
            |line| SPANS[1](&mut line.held),
            |line| SPANS[2](&mut line.held),
            |line| SPANS[3](&mut line.held),
        ],
    );
    for at in 0..all.original.red_lines.len() {
        all.evidence(&format!("red line {at}"), |scenario| Some(&mut scenario.red_lines[at].evidence));
        for waiver in 0..all.original.red_lines[at].waivers.len() {
            let what = format!("waiver {waiver} of red line {at}");
            all.evidence(&what, |scenario| Some(&mut scenario.red_lines[at].waivers[waiver].evidence));
            let edits: [Edit<Waiver>; 8] = [
                |waiver| waiver.id = WaiverId::new("other"),
                |waiver| other_text(&mut waiver.title),
                |waiver| other_text(&mut waiver.when.text),
                |waiver| other_firmness(&mut waiver.firmness),
                |waiver| SPANS[0](&mut waiver.held),
                |waiver| SPANS[1](&mut waiver.held),
                |waiver| SPANS[2](&mut waiver.held),
                |waiver| SPANS[3](&mut waiver.held),
            ];
            for edit in edits {
                all.check(&what, |scenario| edit(&mut scenario.red_lines[at].waivers[waiver]));
            }
        }
    }
    all.each::<Constraint>(
        "constraint",
        |scenario| &mut scenario.constraints,
        &[
            |constraint| constraint.id = ConstraintId::new("other"),
            |constraint| other_text(&mut constraint.title),
            |constraint| other_text(&mut constraint.forbids.text),
        ],
    );
    all.each::<Caution>(
        "caution",
        |scenario| &mut scenario.cautions,
        &[
            |caution| caution.id = CautionId::new("other"),
            |caution| other_text(&mut caution.text),
            |caution| other_text(&mut caution.when.text),
        ],
    );
    for at in 0..all.original.cautions.len() {
        all.evidence(&format!("caution {at}"), |scenario| Some(&mut scenario.cautions[at].evidence));
    }
    all.each::<Preference>(
        "preference",
        |scenario| &mut scenario.preferences,
        &[
            |preference| preference.party = PartyIndex(preference.party.index() + 1),
            |preference| preference.issue = InputIndex(1),
            |preference| match &mut preference.ranking {
                Ranking::Ordinal(order) => rotate(order),
                Ranking::Cardinal(values) => values[0].1 += 0.25,
            },
            |preference| match &mut preference.ranking {
                Ranking::Ordinal(order) => remove_last(order),
                Ranking::Cardinal(values) => rotate(values),
            },
        ],
    );
    all.evidence("preference", |scenario| scenario.preferences.first_mut().map(|preference| &mut preference.evidence));
    all.evidence("circumstance", |scenario| scenario.inputs.last_mut().map(|input| &mut input.evidence));
    all.each::<Proposal>(
        "proposal",
        |scenario| &mut scenario.proposals,
        &[
            |proposal| proposal.id = ProposalId::new("other"),
            |proposal| other_text(&mut proposal.title),
            |proposal| other_text(&mut proposal.description),
            |proposal| proposal.terms.iter_mut().for_each(|term| term.answer = Answer::Unsettled),
            |proposal| remove_last(&mut proposal.terms),
            |proposal| rotate(&mut proposal.terms),
            |proposal| proposal.rows.push("other".to_owned()),
        ],
    );
    assert!(all.reported > 900, "only {} of the edits were reported as changes", all.reported);
}
