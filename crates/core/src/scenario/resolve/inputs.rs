//! Reads parties, inputs (issues and circumstances) and groups, and looks up the ids in them.
//!
//! Must not know of conditions.

use super::resolver::{InputOrGroup, Resolver, line, prose, snake};
use super::values::value;
use crate::scenario::date_range::DateRange;
use crate::scenario::diagnostics::Place;
use crate::scenario::document::{Content, Node};
use crate::scenario::format::{CircumstanceEntry, Entry, GroupEntry, IssueEntry, Kind, PartyEntry, RangeEntry};
use crate::scenario::ids::{GroupId, InputId, PartyId};
use crate::scenario::index::{IndexVec, PartyIndex};
use crate::scenario::limits;
use crate::scenario::model::{Dated, Group, Input, Party, Role};
use crate::scenario::record::{At, Fields, Number, SingleLine, Snake, Text};
use detente_condition::{Domain, InputIndex, MAX_ENTRIES};
use jiff::civil::Date;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// The issues, then the circumstances, that were read so far, with their places in the file.
pub(super) struct Drafts {
    pub(super) inputs: Vec<Input>,
    pub(super) issue_count: usize,
    pub(super) places: Vec<Place>,
    /// Whether the domains of all inputs are known.
    pub(super) all_read: bool,
}

/// The keys that issues and circumstances have in common.
struct InputEntry {
    place: Place,
    unread: Vec<&'static str>,
    id: Option<At<Snake>>,
    title: Option<SingleLine>,
    question: Option<SingleLine>,
    kind: Option<At<Kind>>,
    options: Option<At<Vec<Entry>>>,
    members: Option<At<Vec<Entry>>>,
    unit: Option<At<SingleLine>>,
    range: Option<RangeEntry>,
    taxonomy: Option<Vec<SingleLine>>,
    rows: Option<Vec<SingleLine>>,
    note: Option<Text>,
}

impl Resolver<'_> {
    pub(super) fn parties(&mut self, entries: Vec<PartyEntry>) -> IndexVec<PartyIndex, Party> {
        let mut parties = Vec::with_capacity(entries.len());
        for (index, entry) in (0..).map(PartyIndex).zip(entries) {
            if let Some(id) = &entry.id {
                self.parties.add("party", &id.value.0, id.place, index, self.faults);
            }
            parties.push(Party {
                id: PartyId::new(snake(entry.id)),
                name: line(entry.name),
                role: entry.role.unwrap_or(Role::Principal),
                description: prose(entry.description),
                reservation_value: entry.reservation_value.map(|Number(number)| number),
            });
        }
        self.parties.settle();
        parties.into()
    }

    pub(super) fn inputs(&mut self, issues: Vec<IssueEntry>, circumstances: Vec<CircumstanceEntry>) -> Drafts {
        let mut drafts = Drafts {
            inputs: Vec::new(),
            issue_count: issues.len(),
            places: Vec::new(),
            all_read: !self.inputs.unread.is_incomplete(),
        };
        for entry in issues {
            let status_quo = entry.status_quo;
            let common = InputEntry {
                place: entry.place,
                unread: entry.unread,
                id: entry.id,
                title: entry.title,
                question: entry.question,
                kind: entry.kind,
                options: entry.options,
                members: entry.members,
                unit: entry.unit,
                range: entry.range,
                taxonomy: entry.taxonomy,
                rows: entry.rows,
                note: entry.note,
            };
            let readable = self.input(common, &mut drafts);
            let defaults = match (status_quo, drafts.inputs.last()) {
                (Some(node), Some(input)) if readable => self.status_quo(input, &node.0),
                _ => Vec::new(),
            };
            drafts.inputs.last_mut().into_iter().for_each(|input| input.defaults.clone_from(&defaults));
        }
        for entry in circumstances {
            let (assumed, evidence) = (entry.assumed, entry.evidence);
            let common = InputEntry {
                place: entry.place,
                unread: entry.unread,
                id: entry.id,
                title: entry.title,
                question: entry.question,
                kind: entry.kind,
                options: entry.options,
                members: entry.members,
                unit: entry.unit,
                range: entry.range,
                taxonomy: entry.taxonomy,
                rows: entry.rows,
                note: entry.note,
            };
            let readable = self.input(common, &mut drafts);
            let evidence = self.evidence(evidence, "the `evidence` of a circumstance");
            let assumed = match (assumed, drafts.inputs.last()) {
                (Some(node), Some(input)) if readable => self.one_default(input, &node.0),
                _ => Vec::new(),
            };
            if let Some(input) = drafts.inputs.last_mut() {
                (input.defaults, input.evidence) = (assumed, evidence);
            }
        }
        drafts
    }

    /// Adds an input to the drafts. Returns whether its domain is known.
    fn input(&mut self, entry: InputEntry, drafts: &mut Drafts) -> bool {
        // INVARIANT: the limits on issues and circumstances are far below `u16::MAX`. Positions beyond them do not
        // matter, because such a file is rejected.
        let index = InputIndex(u16::try_from(drafts.inputs.len()).unwrap_or(u16::MAX));
        let (domain, titles) = match self.domain(&entry) {
            Some((domain, titles)) => (Some(domain), titles),
            None => (None, Vec::new()),
        };
        let place = entry.id.as_ref().map_or(entry.place, |id| id.place);
        let id = InputId::new(snake(entry.id));
        if !id.as_str().is_empty() {
            let what = "issue, circumstance or group";
            self.inputs.add(what, id.as_str(), place, InputOrGroup::Input(index), self.faults);
            if let Some(domain) = &domain {
                self.vocabulary.add_input(id.clone().into(), index, domain.clone());
            } else {
                // The name exists but its domain is unknown, so that conditions that use it are not checked.
                self.inputs.unread.add(id.as_str());
            }
        }
        let known = domain.is_some();
        drafts.all_read &= known;
        drafts.places.push(place);
        let taxonomy = self.strings(entry.taxonomy, entry.place);
        let rows = self.strings(entry.rows, entry.place);
        drafts.inputs.push(Input {
            id,
            title: line(entry.title),
            question: line(entry.question),
            domain: domain.unwrap_or(Domain::Flag),
            entry_titles: titles,
            unit: entry.unit.map_or_else(String::new, |unit| unit.value.0),
            defaults: Vec::new(),
            taxonomy,
            rows,
            note: prose(entry.note),
            evidence: Vec::new(),
        });
        known
    }

    fn domain(&mut self, entry: &InputEntry) -> Option<(Domain, Vec<String>)> {
        let kind = entry.kind.as_ref()?;
        let wants = |wanted: Kind| kind.value == wanted;
        let misplaced = [
            (entry.options.as_ref().map(|list| list.place), Kind::Choice, "`options` is only for the kind `choice`"),
            (entry.members.as_ref().map(|list| list.place), Kind::Members, "`members` is only for the kind `members`"),
            (entry.unit.as_ref().map(|unit| unit.place), Kind::Quantity, "`unit` is only for the kind `quantity`"),
            (entry.range.as_ref().map(|range| range.place), Kind::Quantity, "`range` is only for the kind `quantity`"),
        ];
        for (place, owner, message) in misplaced {
            if let Some(place) = place.filter(|_| !wants(owner)) {
                self.faults.add(Place { start: place.start, end: place.start + 1 }, message);
            }
        }
        match kind.value {
            Kind::Flag => Some((Domain::Flag, Vec::new())),
            Kind::Choice => {
                let Some(options) = &entry.options else {
                    return self.missing(entry, "options", kind.place, "the kind `choice` needs `options`");
                };
                self.entries(options, "option", 2, Domain::Choice)
            }
            Kind::Members => {
                let Some(members) = &entry.members else {
                    return self.missing(entry, "members", kind.place, "the kind `members` needs `members`");
                };
                self.entries(members, "member", 1, Domain::Members)
            }
            Kind::Quantity => {
                if entry.unit.is_none() {
                    let _: Option<()> = self.missing(entry, "unit", kind.place, "the kind `quantity` needs a `unit`");
                }
                let Some(range) = &entry.range else {
                    return self.missing(entry, "range", kind.place, "the kind `quantity` needs a `range`");
                };
                let (min, max) = (range.min.as_ref()?, range.max.as_ref()?);
                if min.value >= max.value {
                    return self.fault(
                        max.place,
                        format!("`max` must be greater than `min`: the range is {} to {}", min.value, max.value),
                    );
                }
                Some((Domain::Quantity { min: min.value, max: max.value }, Vec::new()))
            }
        }
    }

    /// Reports a missing key that the kind needs, unless the key is present and its value was reported as unreadable.
    fn missing<T>(&mut self, entry: &InputEntry, key: &str, place: Place, message: &str) -> Option<T> {
        if entry.unread.contains(&key) { None } else { self.fault(place, message) }
    }

    /// Checks the number and uniqueness of options or members, and returns the domain of their ids, and their titles.
    fn entries(
        &mut self,
        list: &At<Vec<Entry>>,
        what: &str,
        least: usize,
        domain: fn(Arc<[Arc<str>]>) -> Domain,
    ) -> Option<(Domain, Vec<String>)> {
        let count = list.value.len();
        if self.faults.any_within(list.place) {
            return None;
        }
        if !(least..=MAX_ENTRIES).contains(&count) {
            let place = Place { start: list.place.start, end: list.place.start + 1 };
            let plural = if count == 1 { "" } else { "s" };
            return self.fault(place, format!("found {count} {what}{plural}; expected {least} to {MAX_ENTRIES}"));
        }
        let mut seen = HashSet::new();
        for entry in &list.value {
            if !seen.insert(&entry.id.value.0) {
                self.faults.add(entry.id.place, format!("the {what} `{}` is listed twice", entry.id.value.0));
            }
        }
        if seen.len() < count {
            return None;
        }
        let titled = list.value.iter().any(|entry| !entry.title.is_empty());
        let titles = if titled { list.value.iter().map(|entry| entry.title.clone()).collect() } else { Vec::new() };
        Some((domain(list.value.iter().map(|entry| Arc::from(entry.id.value.0.as_str())).collect()), titles))
    }

    /// Reads a status quo: a value or a list of dated values.
    fn status_quo(&mut self, input: &Input, node: &Node) -> Vec<Dated> {
        let Content::Sequence(items) = &node.content else { return self.one_default(input, node) };
        let dated = items.iter().any(|item| matches!(item.content, Content::Mapping(_)));
        if !dated && matches!(input.domain, Domain::Members(_)) {
            return self.one_default(input, node);
        }
        if items.is_empty() || items.len() > limits::MAX_SPANS {
            let message = format!("found {} dated values; expected 1 to {}", items.len(), limits::MAX_SPANS);
            self.faults.add(node.place, message);
            return Vec::new();
        }
        let mut defaults: Vec<Dated> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let what = "a dated value";
            let opened = Fields::open(item, what, &["from", "value"], self.faults);
            let Some(mut fields) = opened else { continue };
            let (from, held): (Option<At<Date>>, Option<Node>) = if position == 0 {
                (fields.optional("from", self.faults), fields.required("value", self.faults))
            } else {
                (fields.required("from", self.faults), fields.required("value", self.faults))
            };
            if let Some(from) = &from {
                let last = defaults.last().and_then(|last| last.from);
                if last.is_some_and(|last| from.value <= last) {
                    self.faults.add(from.place, "dated values must be in ascending order of date, each day once");
                }
                if let Some(last) = self.covers.map(DateRange::last).filter(|last| from.value > *last) {
                    let message = format!("{} is after {last}, the last day that the scenario covers", from.value);
                    self.faults.add(from.place, message);
                }
            }
            let held = held.and_then(|held| value(input, &held, self.faults));
            defaults.extend(held.map(|value| Dated { from: from.map(|from| from.value), value }));
        }
        defaults
    }

    fn one_default(&mut self, input: &Input, node: &Node) -> Vec<Dated> {
        value(input, node, self.faults).map(|value| Dated { from: None, value }).into_iter().collect()
    }

    pub(super) fn groups(&mut self, entries: Vec<GroupEntry>, drafts: &Drafts) -> Vec<Group> {
        let known: BTreeSet<&str> =
            drafts.inputs.iter().flat_map(|input| input.domain.entries().iter().map(|entry| &**entry)).collect();
        let mut groups = Vec::with_capacity(entries.len());
        for entry in entries {
            let list = entry.members.as_ref().map(|members| members.place);
            let mut readable = list.is_some_and(|place| !self.faults.any_within(place));
            let members = entry.members.map(|members| members.value).unwrap_or_default();
            if let Some(place) = list.filter(|_| readable && members.is_empty() || members.len() > MAX_ENTRIES) {
                let message = format!("the group has {} members; expected 1 to {MAX_ENTRIES}", members.len());
                self.faults.add(place, message);
                readable = false;
            }
            let mut seen = HashSet::new();
            for member in &members {
                let id = member.value.0.as_str();
                // An input whose domain could not be read may have this option or member.
                if !known.contains(id) && drafts.all_read {
                    let hint = self.faults.hint(id, known.iter().copied());
                    self.faults
                        .add(member.place, format!("no issue or circumstance has an option or member `{id}`{hint}"));
                    readable = false;
                }
                if !seen.insert(id) {
                    self.faults.add(member.place, format!("`{id}` is listed twice"));
                }
            }
            let members: Arc<[Arc<str>]> = members.iter().map(|member| Arc::from(member.value.0.as_str())).collect();
            let place = entry.id.as_ref().map_or(entry.place, |id| id.place);
            let id = GroupId::new(snake(entry.id));
            if !id.as_str().is_empty() {
                let what = "issue, circumstance or group";
                self.inputs.add(what, id.as_str(), place, InputOrGroup::Group, self.faults);
                if readable {
                    self.vocabulary.add_group(id.clone().into(), members.clone());
                } else {
                    self.inputs.unread.add(id.as_str());
                }
            }
            groups.push(Group { id, name: line(entry.name), members, note: prose(entry.note) });
        }
        self.inputs.settle();
        groups
    }
}
