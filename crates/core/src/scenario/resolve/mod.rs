//! Turns the records of a file into the model: resolves names, and checks values, dates and conditions.
//!
//! Whatever depends on a part that could not be read is skipped, so that one fault does not cause further ones. Must
//! not know of YAML syntax.

mod conditions;
mod inputs;
mod lines;
mod names;
mod rest;
pub(crate) mod values;
mod waivers;

use self::inputs::InputOrGroup;
use self::names::Names;
use super::date_range::DateRange;
use super::diagnostics::{Faults, Place};
use super::document::Node;
use super::format::{CoversEntry, EvidenceEntry, ScenarioEntry, SpanEntry};
use super::ids::{ScenarioId, SourceId};
use super::index::{IndexVec, PartyIndex, SourceIndex};
use super::limits::{self, MAX_QUOTE_WORDS};
use super::model::{Beginning, Evidence, Revision, Scenario, Source, Span};
use super::record::{At, Read, SingleLine, Snake, Text};
use super::revision;
use detente_condition::{Space, Vocabulary};
use jiff::civil::Date;
use std::sync::Arc;

/// The state of resolving one file.
pub(super) struct Resolver<'a> {
    pub(super) faults: &'a mut Faults,
    characters: &'a [char],
    covers: Option<DateRange>,
    as_of: Option<Date>,
    sources: Names<SourceIndex>,
    parties: Names<PartyIndex>,
    inputs: Names<InputOrGroup>,
    vocabulary: Vocabulary,
}

/// Turns the tree of a scenario file into a scenario.
///
/// Returns `None`, and adds faults, if the file has any fault.
pub(super) fn scenario(root: &Node, text: &str, faults: &mut Faults) -> Option<Scenario> {
    let entry = ScenarioEntry::read(root, faults)?;
    let characters: Vec<char> = text.chars().collect();
    let mut resolver = Resolver {
        faults,
        characters: &characters,
        covers: None,
        as_of: None,
        sources: Names::of_lists(root, ScenarioEntry::KEYS, &["sources"]),
        parties: Names::of_lists(root, ScenarioEntry::KEYS, &["parties"]),
        inputs: Names::of_lists(root, ScenarioEntry::KEYS, &["issues", "circumstances", "groups"]),
        vocabulary: Vocabulary::default(),
    };
    resolver.scenario(entry)
}

impl Resolver<'_> {
    fn fault<T>(&mut self, place: Place, message: impl Into<String>) -> Option<T> {
        self.faults.add(place, message);
        None
    }

    fn scenario(&mut self, entry: ScenarioEntry) -> Option<Scenario> {
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
            space,
            red_lines: compiled.red_lines,
            constraints: compiled.constraints,
            cautions: compiled.cautions,
            preferences,
            proposals,
        };
        scenario.revision = revision::of(&scenario);
        Some(scenario)
    }

    fn covers(&mut self, entry: &CoversEntry) -> Option<DateRange> {
        let (from, to) = (entry.from.as_ref()?, entry.to.as_ref()?);
        let covers = DateRange::new(from.value, to.value);
        if covers.is_none() {
            return self.fault(to.place, format!("`covers` ends on {}, before it begins on {}", to.value, from.value));
        }
        covers
    }

    /// Returns the entries of a list up to its limit, and reports a list that exceeds the limit.
    fn list<T>(&mut self, list: Option<At<Vec<T>>>, what: &str, most: usize) -> Vec<T> {
        let mut list = self.whole_list(list, what, most);
        list.truncate(most);
        list
    }

    /// Returns all entries of a list, and reports a list that exceeds its limit.
    fn whole_list<T>(&mut self, list: Option<At<Vec<T>>>, what: &str, most: usize) -> Vec<T> {
        let Some(list) = list else { return Vec::new() };
        if list.value.len() > most {
            let place = Place { start: list.place.start, end: list.place.start + 1 };
            self.faults.add(place, format!("there are {} {what}; the limit is {most}", list.value.len()));
        }
        list.value
    }

    fn at_least_one<T>(&mut self, list: Option<&At<Vec<T>>>, what: &str) {
        if let Some(list) = list.filter(|list| list.value.is_empty())
            && !self.faults.any_within(list.place)
        {
            self.faults.add(list.place, format!("a scenario needs at least one {what}"));
        }
    }

    fn sources(&mut self, entries: Vec<super::format::SourceEntry>) -> IndexVec<SourceIndex, Source> {
        let mut sources = Vec::with_capacity(entries.len());
        for (index, entry) in (0..).map(SourceIndex).zip(entries) {
            if let Some(id) = &entry.id {
                self.sources.add("source", &id.value.0, id.place, index, self.faults);
            }
            let authors = self.strings(entry.authors, entry.place);
            sources.push(Source {
                id: SourceId::new(entry.id.map_or_else(String::new, |id| id.value.0)),
                title: line(entry.title),
                publisher: line(entry.publisher),
                authors,
                published: entry.published.map(|date| date.value),
                url: line(entry.url),
                note: prose(entry.note),
            });
        }
        self.sources.settle();
        sources.into()
    }

    /// Returns the entries of a list of short texts up to the limit of lists.
    fn strings(&mut self, lines: Option<Vec<SingleLine>>, place: Place) -> Vec<String> {
        let list = lines.map(|lines| At { place, value: lines.into_iter().map(|line| line.0).collect() });
        self.list(list, "entries", limits::MAX_ENTRIES)
    }

    fn party(&mut self, id: &At<Snake>) -> Option<PartyIndex> {
        self.parties.find("party", &id.value.0, id.place, self.faults)
    }

    /// Reads spans. They must be in order, disjoint, not empty, and each at least partly within the days covered.
    fn spans(&mut self, entries: Option<At<Vec<SpanEntry>>>, what: &str) -> Vec<Span> {
        let Some(entries) = entries else { return Vec::new() };
        if entries.value.is_empty() && !self.faults.any_within(entries.place) {
            self.faults.add(entries.place, format!("{what} needs at least one span in `held`"));
        }
        let mut spans: Vec<(Span, Place)> = Vec::new();
        for entry in self.list(Some(entries), "spans", limits::MAX_SPANS) {
            let Some(span) = self.span(&entry) else { continue };
            if let Some((last, _)) = spans.last() {
                let overlap = last.until.is_none_or(|until| span.from < until);
                if overlap {
                    let previous = last.until.map_or_else(
                        || "but the previous span has no end".to_owned(),
                        |until| format!("before the previous span ends on {until}"),
                    );
                    let message = format!("this span begins on {}, {previous}", span.from);
                    self.faults.add(entry.place, message);
                    continue;
                }
            }
            spans.push((span, entry.place));
        }
        spans.into_iter().map(|(span, _)| span).collect()
    }

    fn span(&mut self, entry: &SpanEntry) -> Option<Span> {
        let (from, beginning) = match (&entry.from, &entry.first_recorded) {
            (Some(from), None) => (from, Beginning::Stated),
            (None, Some(first)) => (first, Beginning::FirstRecorded),
            (Some(_), Some(first)) => {
                return self.fault(first.place, "a span has either `from` or `first_recorded`, not both");
            }
            // A date that could not be read has been reported already.
            (None, None) if self.faults.any_within(entry.place) => return None,
            (None, None) => return self.fault(entry.place, "a span needs a first day: `from` or `first_recorded`"),
        };
        if let Some(until) = entry.until.as_ref().filter(|until| until.value <= from.value) {
            let message = format!("the span ends on {}, which is not after its first day, {}", until.value, from.value);
            return self.fault(until.place, message);
        }
        let span = Span { from: from.value, beginning, until: entry.until.as_ref().map(|until| until.value) };
        if let Some(covers) = self.covers
            && !span.meets(covers)
        {
            return self.fault(
                entry.place,
                format!("the span is entirely outside the days that the scenario covers, {covers}"),
            );
        }
        Some(span)
    }

    /// Reads evidence, and reports a list without any piece.
    fn evidence(&mut self, entries: Option<At<Vec<EvidenceEntry>>>, what: &str) -> Vec<Evidence> {
        let Some(entries) = entries else { return Vec::new() };
        if entries.value.is_empty() && !self.faults.any_within(entries.place) {
            let message = format!("{what} needs at least one piece of evidence: who said what, and in which source");
            self.faults.add(entries.place, message);
        }
        let entries = self.list(Some(entries), "pieces of evidence", limits::MAX_EVIDENCE);
        entries.into_iter().filter_map(|entry| self.piece_of_evidence(entry)).collect()
    }

    fn piece_of_evidence(&mut self, entry: EvidenceEntry) -> Option<Evidence> {
        if let Some(quote) = &entry.quote {
            let words = quote.value.0.split_whitespace().count();
            if words > MAX_QUOTE_WORDS {
                let message = format!("the quote has {words} words; the limit is {MAX_QUOTE_WORDS}");
                self.faults.add(quote.place, message);
            }
        }
        if let (Some(date), Some(as_of)) = (&entry.date, self.as_of)
            && date.value > as_of
        {
            let message =
                format!("{} is after {as_of}, the day up to which the record is complete (`as_of`)", date.value);
            self.faults.add(date.place, message);
        }
        let source = entry.source.as_ref();
        let source = source.and_then(|id| self.sources.find("source", &id.value.0, id.place, self.faults));
        Some(Evidence {
            source: source?,
            kind: entry.kind?,
            speaker: line(entry.speaker),
            statement: prose(entry.statement),
            quote: entry.quote.map_or_else(String::new, |quote| quote.value.0),
            date: entry.date.map(|date| date.value),
            direction: entry.speaks.unwrap_or_default(),
            row: line(entry.row),
        })
    }
}

fn line(line: Option<SingleLine>) -> String {
    line.map_or_else(String::new, |line| line.0)
}

fn prose(text: Option<Text>) -> String {
    text.map_or_else(String::new, |text| text.0)
}

/// Returns the text of an id; empty if it could not be read.
fn snake(id: Option<At<Snake>>) -> String {
    id.map_or_else(String::new, |id| id.value.0)
}
