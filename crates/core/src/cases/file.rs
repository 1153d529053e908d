//! Reads scenario test files, and looks up the ids in them in a scenario.
//!
//! A case has a proposal and the expected results of its evaluation. What the proposal, the status quo and the
//! circumstances determine is settled; what they leave undetermined is open. Something is certain if it is so however
//! the open answers turn out, and possible if it depends on them.
//!
//! Must not know how a proposal is evaluated: comparing a case with an evaluation is the caller's task.

use crate::cases::words::ExpectedStatus;
use crate::engine::{Certainty, Stance, Verdict};
use crate::scenario::deferred::AnswersNode;
use crate::scenario::diagnostics::{Diagnostics, Faults, Place};
use crate::scenario::document::{Content, Key, Node, parse_file};
use crate::scenario::ids::{CautionId, ConstraintId, InputId, PartyId, RedLineId, WaiverId};
use crate::scenario::limits::{MAX_CASES, MAX_TEST_FILE_BYTES};
use crate::scenario::model::{Firmness, Scenario};
use crate::scenario::record::{At, Kebab, Read, SingleLine, Snake, Text, record};
use crate::scenario::resolve::values::{InputNames, answers_of_map};
use detente_condition::{Answer, Domain, InputIndex};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

record! {
    /// A test file for a scenario.
    CaseFileEntry, "a test file" {
        /// The path of the scenario file, relative to the test file.
        required scenario: Text,
        /// The cases; at least one.
        required cases: Vec<CaseEntry>,
    }
}

record! {
    /// One evaluation and its expected results.
    CaseEntry, "a case" {
        /// The name of the case, for reports.
        required name: SingleLine,
        /// The id of the scenario's proposal to evaluate. A case has either this key or `terms`.
        optional proposal: At<Kebab>,
        /// The terms to evaluate. A case has either this key or `proposal`.
        optional terms: AnswersNode,
        /// Terms that replace the proposal's terms on the same issues, or answer further issues.
        optional overrides: AnswersNode,
        /// Issues whose terms are removed from the proposal.
        optional cleared: Vec<At<Snake>>,
        /// Values of circumstances, which replace those that the scenario assumes.
        optional circumstances: AnswersNode,
        /// The day of the evaluation; default: the scenario's `as_of`.
        optional as_of: At<Date>,
        /// The expected results.
        required expect: ExpectEntry,
    }
}

record! {
    /// The expected results of a case; absent keys are not checked.
    ExpectEntry, "`expect`" {
        /// The expected verdict.
        optional verdict: Verdict,
        /// The verdict if every undetermined red line were crossed with its highest firmness.
        optional could_become: Verdict,
        /// A map from the id of a party to its expected stance.
        optional stances: Node,
        /// The ids of all crossed red lines, in any order.
        optional crossed: Vec<At<Kebab>>,
        /// The ids of all undetermined red lines, in any order.
        optional undetermined: Vec<At<Kebab>>,
        /// A map from the id of a red line to the expected finding on it.
        optional findings: Node,
        /// All constraints that are or may be broken: a map from id to `certain` or `possible`.
        optional warnings: Node,
        /// All cautions that apply or may apply: a map from id to `certain` or `possible`.
        optional cautions: Node,
    }
}

record! {
    /// The expected stance of a party.
    StanceEntry, "a stance" {
        /// The stance that follows from the settled answers.
        optional is: Stance,
        /// The stance if every undetermined red line of the party were crossed with its highest firmness.
        optional could_become: Stance,
    }
}

record! {
    /// The expected finding on a red line; absent keys are not checked.
    FindingEntry, "a finding" {
        /// The status of the red line.
        optional is: ExpectedStatus,
        /// The lowest firmness with which a crossing counts after waivers.
        optional firmness: Firmness,
        /// The highest firmness with which a crossing counts after waivers.
        optional firmness_at_worst: Firmness,
        /// All minimal reasons for the status. A reason is a list of settled answers, each written as `issue` or
        /// `issue.member`, that decide the status by themselves.
        optional reasons: Vec<Vec<At<Text>>>,
        /// If the red line is undetermined: the ids of the issues and circumstances whose open answers decide whether
        /// it is crossed.
        optional hangs_on: Vec<At<Snake>>,
        /// All waivers that lower or may lower the firmness of a crossing: a map from id to `certain` or `possible`.
        optional waivers: Node,
        /// The labels that the evidence must name, each of a row in the author's own table of statements. The evidence
        /// may name further labels.
        optional rows: Vec<SingleLine>,
    }
}

impl ExpectEntry {
    /// Whether no result is expected. A case without expected results would pass for every evaluation.
    fn is_empty(&self) -> bool {
        let Self {
            place: _,
            unread: _,
            verdict,
            could_become,
            stances,
            crossed,
            undetermined,
            findings,
            warnings,
            cautions,
        } = self;
        let words = [verdict, could_become].iter().all(|word| word.is_none());
        let lists = [crossed, undetermined].iter().all(|list| list.is_none());
        words && lists && [stances, findings, warnings, cautions].iter().all(|map| map.is_none())
    }
}

/// A test file whose ids are not yet looked up in a scenario.
#[derive(Debug)]
pub struct CaseFile {
    file: String,
    text: String,
    scenario: String,
    cases: Vec<CaseEntry>,
}

/// One case of a test file, after its ids were looked up in a scenario.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of the case, for reports.
    pub name: String,
    /// The terms of the proposal.
    pub terms: Vec<(InputIndex, Answer)>,
    /// Terms that replace the proposal's terms on the same issues, or answer further issues.
    pub overrides: Vec<(InputIndex, Answer)>,
    /// Issues whose terms are removed from the proposal.
    pub cleared: Vec<InputIndex>,
    /// Values of circumstances, which replace those that the scenario assumes.
    pub circumstances: Vec<(InputIndex, Answer)>,
    /// The day of the evaluation; `None`: the scenario's `as_of`.
    pub as_of: Option<Date>,
    /// The expected results.
    pub expect: Expect,
}

/// The expected results of a case; fields that are `None` or empty are not checked.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The expected verdict.
    pub verdict: Option<Verdict>,
    /// The verdict if every undetermined red line were crossed with its highest firmness.
    pub could_become: Option<Verdict>,
    /// By the id of each party: its expected stance, and its expected stance if every undetermined red line of the
    /// party were crossed with its highest firmness.
    pub stances: BTreeMap<PartyId, (Option<Stance>, Option<Stance>)>,
    /// The ids of all crossed red lines.
    pub crossed: Option<BTreeSet<RedLineId>>,
    /// The ids of all undetermined red lines.
    pub undetermined: Option<BTreeSet<RedLineId>>,
    /// The expected findings, by red line id.
    pub findings: BTreeMap<RedLineId, ExpectFinding>,
    /// All constraints that are or may be broken: for each id, whether that is certain or only possible.
    pub warnings: Option<BTreeMap<ConstraintId, Certainty>>,
    /// All cautions that apply or may apply: for each id, whether that is certain or only possible.
    pub cautions: Option<BTreeMap<CautionId, Certainty>>,
}

/// The expected finding on a red line; fields that are `None` or empty are not checked.
#[derive(Clone, Debug, Default)]
pub struct ExpectFinding {
    /// The status of the red line, or `not_held`.
    pub is: Option<ExpectedStatus>,
    /// The lowest firmness with which a crossing counts after waivers.
    pub firmness: Option<Firmness>,
    /// The highest firmness with which a crossing counts after waivers.
    pub firmness_at_worst: Option<Firmness>,
    /// All minimal reasons: sets of settled answers, each written as `issue` or `issue.member`.
    pub reasons: Option<BTreeSet<BTreeSet<String>>>,
    /// If the red line is undetermined: the ids of the issues and circumstances whose open answers decide whether it is
    /// crossed.
    pub hangs_on: Option<BTreeSet<InputId>>,
    /// All waivers that lower or may lower the firmness of a crossing: for each id, whether that is certain or only
    /// possible.
    pub waivers: Option<BTreeMap<WaiverId, Certainty>>,
    /// The labels that the evidence must name, each of a row in the author's own table of statements. The evidence may
    /// name further labels.
    pub rows: BTreeSet<String>,
}

/// Reads a test file. `file` is its name, for messages.
///
/// # Errors
/// Returns every fault of the file, each with its place.
pub fn load_cases(file: &str, text: &str) -> Result<CaseFile, Diagnostics> {
    let mut faults = Faults::default();
    let entry =
        parse_file(text, MAX_TEST_FILE_BYTES, &mut faults).and_then(|root| CaseFileEntry::read(&root, &mut faults));
    if entry.is_none() && faults.is_empty() {
        faults.add(Place::START, "the file is empty");
    }
    let read = entry.and_then(|entry| Some((entry.scenario?.0, entry.cases?)));
    if read.as_ref().is_some_and(|(_, cases)| cases.is_empty()) && faults.is_empty() {
        faults.add(Place::START, "the file has no cases; add at least one to `cases`");
    }
    if let Some((_, cases)) = read.as_ref().filter(|(_, cases)| cases.len() > MAX_CASES) {
        let message = format!("the file has {} cases; the limit is {MAX_CASES}; split the file", cases.len());
        faults.add(Place::START, message);
    }
    let (scenario, cases) = faults.finish(file, text, read)?;
    Ok(CaseFile { file: file.to_owned(), text: text.to_owned(), scenario, cases })
}

impl CaseFile {
    /// Returns the path of the scenario file, relative to the test file.
    pub fn scenario_path(&self) -> &str {
        &self.scenario
    }

    /// Looks up all ids in the scenario.
    ///
    /// # Errors
    /// Returns every id that the scenario does not have and every answer outside its domain, each with its place.
    pub fn resolve(self, scenario: &Scenario) -> Result<Vec<Case>, Diagnostics> {
        let mut resolver = Resolver { scenario, faults: Faults::default() };
        let cases: Option<Vec<Case>> = self.cases.into_iter().map(|entry| resolver.case(entry)).collect();
        resolver.faults.finish(&self.file, &self.text, cases)
    }
}

struct Resolver<'a> {
    scenario: &'a Scenario,
    faults: Faults,
}

impl Resolver<'_> {
    fn case(&mut self, entry: CaseEntry) -> Option<Case> {
        let scenario = self.scenario;
        let place = Place { start: entry.place.start, end: entry.place.start + 1 };
        let terms = match (&entry.proposal, &entry.terms) {
            (Some(id), None) => {
                let ids = scenario.proposals.iter().map(|proposal| proposal.id.as_str());
                self.check_known("proposal", &id.value.0, id.place, ids);
                let terms = scenario.proposal(&id.value.0).map_or(&[][..], |proposal| &proposal.terms);
                terms.iter().map(|term| (term.issue, term.answer)).collect()
            }
            (None, Some(terms)) => answers_of_map(scenario.issues(), 0, &terms.0, &mut self.faults),
            _ => {
                self.faults.add(place, "a case needs either `proposal` or `terms`, not both");
                Vec::new()
            }
        };
        let mut answers = |node: &Option<AnswersNode>, issues: bool| match (node, issues) {
            (None, _) => Vec::new(),
            (Some(node), true) => answers_of_map(scenario.issues(), 0, &node.0, &mut self.faults),
            (Some(node), false) => {
                answers_of_map(scenario.circumstances(), scenario.issue_count, &node.0, &mut self.faults)
            }
        };
        let (overrides, circumstances) = (answers(&entry.overrides, true), answers(&entry.circumstances, false));
        let names = InputNames::of(scenario.issues());
        let cleared = entry.cleared.unwrap_or_default().into_iter().filter_map(|id| {
            let key = Key { place: id.place, text: id.value.0.into() };
            let found = names.find(&key, "issue", &mut self.faults)?;
            u16::try_from(found).ok().map(InputIndex)
        });
        let cleared = cleared.collect();
        let covers = scenario.covers;
        if let Some(day) = entry.as_of.as_ref().filter(|day| !covers.contains(day.value)) {
            let message = format!("{} is outside the days that the scenario covers, {covers}", day.value);
            self.faults.add(day.place, message);
        }
        Some(Case {
            name: entry.name?.0,
            terms,
            overrides,
            cleared,
            circumstances,
            as_of: entry.as_of.map(|date| date.value),
            expect: self.expect(entry.expect?),
        })
    }

    fn expect(&mut self, entry: ExpectEntry) -> Expect {
        let scenario = self.scenario;
        if entry.is_empty() {
            self.faults.add(entry.place, "`expect` is empty; it needs at least one key");
        }
        let parties: Vec<&str> = scenario.parties.iter().map(|party| party.id.as_str()).collect();
        let red_lines: Vec<&str> = scenario.red_lines.iter().map(|red_line| red_line.id.as_str()).collect();
        let mut expect = Expect {
            verdict: entry.verdict,
            could_become: entry.could_become,
            crossed: self.red_lines(entry.crossed, &red_lines),
            undetermined: self.red_lines(entry.undetermined, &red_lines),
            ..Expect::default()
        };
        for (party, node) in self.map(entry.stances.as_ref(), "party", &parties) {
            let stance = if matches!(node.content, Content::Mapping(_)) {
                StanceEntry::read(node, &mut self.faults).map(|entry| (entry.is, entry.could_become))
            } else {
                Stance::read(node, &mut self.faults).map(|is| (Some(is), None))
            };
            if let Some((is, could_become)) = stance {
                expect.stances.insert(PartyId::new(party), (is, could_become));
            }
        }
        for (red_line, node) in self.map(entry.findings.as_ref(), "red line", &red_lines) {
            let finding = if matches!(node.content, Content::Mapping(_)) {
                let entry = FindingEntry::read(node, &mut self.faults);
                entry.map(|entry| self.finding(entry, &red_line))
            } else {
                let is = ExpectedStatus::read(node, &mut self.faults);
                Some(ExpectFinding { is, ..ExpectFinding::default() })
            };
            if let Some(finding) = finding {
                expect.findings.insert(RedLineId::new(red_line), finding);
            }
        }
        let constraints: Vec<&str> = scenario.constraints.iter().map(|constraint| constraint.id.as_str()).collect();
        let cautions: Vec<&str> = scenario.cautions.iter().map(|caution| caution.id.as_str()).collect();
        expect.warnings =
            entry.warnings.map(|node| self.certainties(&node, "constraint", &constraints, ConstraintId::new));
        expect.cautions = entry.cautions.map(|node| self.certainties(&node, "caution", &cautions, CautionId::new));
        expect
    }

    fn finding(&mut self, entry: FindingEntry, red_line: &str) -> ExpectFinding {
        let scenario = self.scenario;
        let found = scenario.red_lines.iter().find(|known| known.id.as_str() == red_line);
        let waivers: Vec<&str> =
            found.iter().flat_map(|found| found.waivers.iter().map(|waiver| waiver.id.as_str())).collect();
        let reasons = entry.reasons.map(|reasons| {
            let each = reasons.into_iter().map(|reason| {
                reason.into_iter().inspect(|cause| self.check_cause(cause)).map(|cause| cause.value.0).collect()
            });
            each.collect()
        });
        let inputs: Vec<&str> = scenario.inputs.iter().map(|input| input.id.as_str()).collect();
        let hangs_on = entry.hangs_on.map(|ids| {
            let ids = ids.into_iter();
            ids.inspect(|id| self.check_known("issue or circumstance", &id.value.0, id.place, inputs.iter().copied()))
                .map(|id| InputId::new(id.value.0))
                .collect()
        });
        ExpectFinding {
            is: entry.is,
            firmness: entry.firmness,
            firmness_at_worst: entry.firmness_at_worst,
            reasons,
            hangs_on,
            waivers: entry.waivers.map(|node| self.certainties(&node, "waiver", &waivers, WaiverId::new)),
            rows: entry.rows.unwrap_or_default().into_iter().map(|row| row.0).collect(),
        }
    }

    /// Checks a cause of a reason: `issue`, or `issue.member` for an issue that is a set of members.
    fn check_cause(&mut self, cause: &At<Text>) {
        let text = &cause.value.0;
        let (id, member) = text.split_once('.').map_or((text.as_str(), None), |(id, member)| (id, Some(member)));
        let known = self.scenario.inputs.iter().map(|input| input.id.as_str());
        self.check_known("issue or circumstance", id, cause.place, known);
        let Some(input) = self.scenario.inputs.iter().find(|input| input.id.as_str() == id) else { return };
        let message = match (&input.domain, member) {
            (Domain::Members(_), Some(member)) if input.domain.entry(member).is_some() => return,
            (Domain::Members(_), Some(member)) => format!("`{id}` has no member `{member}`"),
            (Domain::Members(_), None) => format!("`{id}` is a set of members; name one of them as `{id}.MEMBER`"),
            (_, Some(_)) => format!("`{id}` has no members"),
            (_, None) => return,
        };
        self.faults.add(cause.place, message);
    }

    /// Reports an id that is not among the known ones.
    fn check_known<'b>(&mut self, what: &str, id: &str, place: Place, known: impl IntoIterator<Item = &'b str>) {
        let known: Vec<&str> = known.into_iter().collect();
        if !known.contains(&id) {
            let hint = self.faults.hint(id, known);
            self.faults.add(place, format!("there is no {what} `{id}`{hint}"));
        }
    }

    fn red_lines(&mut self, ids: Option<Vec<At<Kebab>>>, known: &[&str]) -> Option<BTreeSet<RedLineId>> {
        let ids = ids?.into_iter();
        let ids = ids.inspect(|id| self.check_known("red line", &id.value.0, id.place, known.iter().copied()));
        Some(ids.map(|id| RedLineId::new(id.value.0)).collect())
    }

    /// Returns the entries of a map whose keys are ids, and reports unknown ids.
    fn map<'b>(&mut self, node: Option<&'b Node>, what: &str, known: &[&str]) -> Vec<(String, &'b Node)> {
        let Some(node) = node else { return Vec::new() };
        let Content::Mapping(entries) = &node.content else {
            self.faults.add(node.place, format!("expected a map keyed by {what}, found {}", node.describe()));
            return Vec::new();
        };
        let entries = entries.iter();
        entries
            .inspect(|(key, _)| self.check_known(what, &key.text, key.place, known.iter().copied()))
            .map(|(key, value)| (key.text.to_string(), value))
            .collect()
    }

    fn certainties<Id: Ord>(
        &mut self,
        node: &Node,
        what: &str,
        known: &[&str],
        as_id: impl Fn(String) -> Id,
    ) -> BTreeMap<Id, Certainty> {
        let entries = self.map(Some(node), what, known);
        let read =
            entries.into_iter().filter_map(|(id, node)| Some((as_id(id), Certainty::read(node, &mut self.faults)?)));
        read.collect()
    }
}
