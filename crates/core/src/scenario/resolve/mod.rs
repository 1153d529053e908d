//! Turns the records of a scenario file into the model: looks up ids, and checks values, dates and conditions.
//!
//! Whatever depends on a part that could not be read is skipped, so that one fault does not cause further ones. Must
//! not know of YAML syntax.

mod conditions;
mod evidence;
mod inputs;
mod lines;
mod names;
mod resolver;
mod rest;
pub(crate) mod values;
mod waivers;

use self::names::Names;
use self::resolver::{Resolver, prose};
use super::budget::LoadBudget;
use super::characters::Characters;
use super::date_range::DateRange;
use super::diagnostics::{Faults, Place};
use super::document::Node;
use super::format::{CoversEntry, ScenarioEntry};
use super::ids::ScenarioId;
use super::limits;
use super::model::{Revision, Scenario};
use super::record::{At, Read};
use super::{RedLinePlaces, revision};
use detente_condition::{Space, Vocabulary};
use std::mem;
use std::sync::Arc;

/// Turns the tree of a scenario file into a scenario, with the places of its red lines.
///
/// Returns `None`, and adds faults, if the file has any fault.
pub(super) fn scenario(
    root: Node,
    text: &str,
    budget: &mut LoadBudget,
    faults: &mut Faults,
) -> Option<(Scenario, RedLinePlaces)> {
    let entry = ScenarioEntry::read(&root, faults)?;
    let characters = Characters::new(text);
    let mut resolver = Resolver {
        faults,
        characters: &characters,
        budget,
        covers: None,
        as_of: None,
        sources: Names::of_lists(&root, ScenarioEntry::KEYS, &["sources"]),
        parties: Names::of_lists(&root, ScenarioEntry::KEYS, &["parties"]),
        inputs: Names::of_lists(&root, ScenarioEntry::KEYS, &["issues", "circumstances", "groups"]),
        vocabulary: Vocabulary::default(),
    };
    // The tree takes several times the memory of the text.
    drop(root);
    resolver.scenario(entry)
}

impl Resolver<'_> {
    fn scenario(&mut self, entry: ScenarioEntry) -> Option<(Scenario, RedLinePlaces)> {
        let place = Place { start: entry.place.start, end: entry.place.start + 1 };
        self.covers = entry.covers.as_ref().and_then(|covers| self.covers(covers));
        self.as_of = entry.as_of.as_ref().map(|as_of| as_of.value);
        if let (Some(as_of), Some(covers)) = (&entry.as_of, self.covers)
            && !covers.contains(as_of.value)
        {
            self.faults
                .add(as_of.place, format!("{} is outside the days that the scenario covers, {covers}", as_of.value));
        }
        self.at_least_one(entry.parties.as_ref(), "party");
        self.at_least_one(entry.issues.as_ref(), "issue");
        // Lists that other parts refer to are read completely even beyond their limits; otherwise every reference to an
        // entry beyond the limit would be a fault, too.
        let sources = self.whole_list(entry.sources, "sources", limits::MAX_SOURCES);
        let sources = self.sources(sources);
        let parties = self.whole_list(entry.parties, "parties", limits::MAX_PARTIES);
        let parties = self.parties(parties);
        let issues = self.whole_list(entry.issues, "issues", limits::MAX_ISSUES);
        let circumstances = self.whole_list(entry.circumstances, "circumstances", limits::MAX_CIRCUMSTANCES);
        let groups = self.whole_list(entry.groups, "groups", limits::MAX_GROUPS);
        let drafts = self.inputs(issues, circumstances);
        let groups = self.groups(groups, &drafts);

        let red_lines = self.list(entry.red_lines, "red lines", limits::MAX_RED_LINES);
        let places = red_lines.iter().map(|entry| entry.id.as_ref().map_or(entry.place, |id| id.place)).collect();
        let red_lines = self.red_lines(red_lines);
        let constraints = self.list(entry.constraints, "constraints", limits::MAX_CONSTRAINTS);
        let constraints = self.constraints(constraints);
        let cautions = self.list(entry.cautions, "cautions", limits::MAX_CAUTIONS);
        let cautions = self.cautions(cautions);
        let preferences = self.list(entry.preferences, "preferences", limits::MAX_PREFERENCES);
        let preferences = self.preferences(preferences, &drafts);
        let proposals = self.list(entry.proposals, "proposals", limits::MAX_PROPOSALS);
        let proposals = self.proposals(proposals, &drafts);

        let space = self.space(&drafts, &red_lines, &constraints, &cautions);
        let compiled = self.compile(space.as_ref(), &red_lines, &constraints, &cautions);
        if let Some((place, message)) = self.budget.fault() {
            self.faults.add(place, message);
        }
        self.check_editions(&drafts.inputs, &red_lines, place);
        if !self.faults.is_empty() {
            return None;
        }
        // INVARIANT: if there are no faults, every part was read.
        let (space, compiled): (Space, conditions::CompiledParts) = (space?, compiled?);
        let mut scenario = Scenario {
            id: ScenarioId::new(entry.scenario?.0),
            title: entry.title?.0,
            description: prose(entry.description),
            covers: self.covers?,
            as_of: entry.as_of?.value,
            revision: Revision(Arc::from("")),
            sources,
            parties,
            groups,
            inputs: drafts.inputs.into(),
            issue_count: drafts.issue_count,
            vocabulary: mem::take(&mut self.vocabulary),
            space,
            red_lines: compiled.red_lines,
            constraints: compiled.constraints,
            cautions: compiled.cautions,
            preferences,
            proposals,
        };
        scenario.revision = revision::of(&scenario);
        let places = RedLinePlaces::new(scenario.red_lines.iter().map(|red_line| red_line.id.clone()), places);
        Some((scenario, places))
    }

    fn covers(&mut self, entry: &CoversEntry) -> Option<DateRange> {
        let (from, to) = (entry.from.as_ref()?, entry.to.as_ref()?);
        let covers = DateRange::new(from.value, to.value);
        if covers.is_none() {
            return self.fault(to.place, format!("`covers` ends on {}, before it begins on {}", to.value, from.value));
        }
        covers
    }

    fn at_least_one<T>(&mut self, list: Option<&At<Vec<T>>>, what: &str) {
        if let Some(list) = list.filter(|list| list.value.is_empty())
            && !self.faults.any_within(list.place)
        {
            self.faults.add(list.place, format!("a scenario needs at least one {what}"));
        }
    }
}
