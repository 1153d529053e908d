//! Test files: what a scenario must answer.

use crate::cases::words::ExpectedStatus;
use crate::engine::{Certainty, Stance, Verdict};
use crate::scenario::deferred::AnswersNode;
use crate::scenario::diagnostics::{Diagnostics, Faults, Place};
use crate::scenario::document::{Content, Key, Node, parse};
use crate::scenario::model::{Firmness, Scenario};
use crate::scenario::record::{At, Kebab, Read, SingleLine, Snake, Text, record};
use crate::scenario::resolve::values::{Names, answers_of_map};
use detente_condition::{Answer, Domain, InputId};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

record! {
    /// What a scenario must answer.
    CaseFileEntry, "a test file" {
        /// The scenario file, relative to this one.
        required scenario: Text,
        /// The cases.
        required cases: Vec<CaseEntry>,
    }
}

record! {
    /// One case.
    CaseEntry, "a case" {
        /// What it shows.
        required name: SingleLine,
        /// A reference proposal.
        optional proposal: At<Kebab>,
        /// Or terms of its own.
        optional terms: AnswersNode,
        /// Terms that replace the proposal's.
        optional overrides: AnswersNode,
        /// Issues whose terms are taken out.
        optional cleared: Vec<At<Snake>>,
        /// What circumstances are taken to be.
        optional circumstances: AnswersNode,
        /// The day.
        optional as_of: At<Date>,
        /// What must be answered.
        required expect: ExpectEntry,
    }
}

record! {
    /// What must be answered.
    ExpectEntry, "`expect`" {
        /// The verdict.
        optional verdict: Verdict,
        /// What it could become.
        optional could_become: Verdict,
        /// Stances by party.
        optional stances: Node,
        /// All crossed lines.
        optional crossed: Vec<At<Kebab>>,
        /// All undetermined lines.
        optional undetermined: Vec<At<Kebab>>,
        /// Findings by red line.
        optional findings: Node,
        /// All constraints broken.
        optional warnings: Node,
        /// All cautions shown.
        optional cautions: Node,
    }
}

record! {
    /// A stance and what it could become.
    StanceEntry, "a stance" {
        /// By what is settled.
        optional is: Stance,
        /// At worst.
        optional could_become: Stance,
    }
}

record! {
    /// What must be found of a red line.
    FindingEntry, "a finding" {
        /// Its status.
        optional is: ExpectedStatus,
        /// The lowest firmness of a crossing.
        optional firmness: Firmness,
        /// The highest.
        optional firmness_at_worst: Firmness,
        /// All minimal reasons, each a list of `issue` or `issue.member`.
        optional reasons: Vec<Vec<At<Text>>>,
        /// What decides it.
        optional hangs_on: Vec<At<Snake>>,
        /// All waivers that lower it.
        optional waivers: Node,
        /// Rows that its evidence shows.
        optional rows: Vec<SingleLine>,
    }
}

impl ExpectEntry {
    /// Whether nothing is asked for: such a case would hold whatever is answered.
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

/// A test file whose names are not looked up yet.
#[derive(Debug)]
pub struct CaseFile {
    file: String,
    text: String,
    scenario: String,
    cases: Vec<CaseEntry>,
}

/// One case, resolved.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The proposal's terms.
    pub terms: Vec<(InputId, Answer)>,
    /// Terms that replace them.
    pub overrides: Vec<(InputId, Answer)>,
    /// Issues whose terms are taken out.
    pub cleared: Vec<InputId>,
    /// What circumstances are taken to be.
    pub circumstances: Vec<(InputId, Answer)>,
    /// The day.
    pub as_of: Option<Date>,
    /// What must be answered.
    pub expect: Expect,
}

/// What must be answered; what is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// What it could become.
    pub could_become: Option<Verdict>,
    /// By party id: the stance, and what it could become.
    pub stances: BTreeMap<String, (Option<Stance>, Option<Stance>)>,
    /// All crossed lines.
    pub crossed: Option<BTreeSet<String>>,
    /// All undetermined lines.
    pub undetermined: Option<BTreeSet<String>>,
    /// By red line id.
    pub findings: BTreeMap<String, ExpectFinding>,
    /// All constraints broken, with their certainty.
    pub warnings: Option<BTreeMap<String, Certainty>>,
    /// All cautions shown, with their certainty.
    pub cautions: Option<BTreeMap<String, Certainty>>,
}

/// What must be found of a red line; what is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct ExpectFinding {
    /// Its status, or `not_held`.
    pub is: Option<ExpectedStatus>,
    /// The lowest firmness of a crossing.
    pub firmness: Option<Firmness>,
    /// The highest.
    pub firmness_at_worst: Option<Firmness>,
    /// All minimal reasons: sets of `issue` and `issue.member`.
    pub reasons: Option<BTreeSet<BTreeSet<String>>>,
    /// What decides it.
    pub hangs_on: Option<BTreeSet<String>>,
    /// All waivers that lower it, with their certainty.
    pub waivers: Option<BTreeMap<String, Certainty>>,
    /// Rows that its evidence shows.
    pub rows: BTreeSet<String>,
}

/// Reads a test file.
///
/// # Errors
/// Every fault of the file, each with its place.
pub fn load_cases(file: &str, text: &str) -> Result<CaseFile, Diagnostics> {
    let mut faults = Faults::default();
    let entry = parse(text, &mut faults).and_then(|root| CaseFileEntry::read(&root, &mut faults));
    if entry.is_none() && faults.is_empty() {
        faults.add(Place::START, "the file is empty");
    }
    let read = entry.and_then(|entry| Some((entry.scenario?.0, entry.cases?)));
    if read.as_ref().is_some_and(|(_, cases)| cases.is_empty()) && faults.is_empty() {
        faults.add(Place::START, "the file has no case");
    }
    let (scenario, cases) = faults.finish(file, text, read)?;
    Ok(CaseFile { file: file.to_owned(), text: text.to_owned(), scenario, cases })
}

impl CaseFile {
    /// The scenario file, relative to this one.
    pub fn scenario_path(&self) -> &str {
        &self.scenario
    }

    /// Looks all names up.
    ///
    /// # Errors
    /// Every name that the scenario has not, each with its place.
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
                let ids = scenario.proposals.iter().map(|proposal| &*proposal.id);
                self.known("proposal", &id.value.0, id.place, ids);
                let terms = scenario.proposal(&id.value.0).map_or(&[][..], |proposal| &proposal.terms);
                terms.iter().map(|term| (term.issue, term.answer)).collect()
            }
            (None, Some(terms)) => answers_of_map(scenario.issues(), 0, &terms.0, &mut self.faults),
            _ => {
                self.faults.add(place, "a case has a `proposal` or `terms`, and not both");
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
        let names = Names::of(scenario.issues());
        let cleared = entry.cleared.unwrap_or_default().into_iter().filter_map(|id| {
            let key = Key { place: id.place, text: id.value.0 };
            let found = names.find(&key, "issue", &mut self.faults)?;
            u16::try_from(found).ok().map(InputId)
        });
        let cleared = cleared.collect();
        let (first, last) = scenario.covers;
        if let Some(day) = entry.as_of.as_ref().filter(|day| !(first..=last).contains(&day.value)) {
            let message = format!("{} is outside of what the scenario covers: {first} to {last}", day.value);
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
            self.faults.add(entry.place, "nothing is expected here: `expect` needs at least one key");
        }
        let parties: Vec<&str> = scenario.parties.iter().map(|party| &*party.id).collect();
        let red_lines: Vec<&str> = scenario.red_lines.iter().map(|red_line| &*red_line.id).collect();
        let mut expect = Expect {
            verdict: entry.verdict,
            could_become: entry.could_become,
            crossed: self.set(entry.crossed, "red line", &red_lines),
            undetermined: self.set(entry.undetermined, "red line", &red_lines),
            ..Expect::default()
        };
        for (party, node) in self.map(entry.stances.as_ref(), "party", &parties) {
            let stance = if matches!(node.content, Content::Mapping(_)) {
                StanceEntry::read(node, &mut self.faults).map(|entry| (entry.is, entry.could_become))
            } else {
                Stance::read(node, &mut self.faults).map(|is| (Some(is), None))
            };
            if let Some((is, could_become)) = stance {
                expect.stances.insert(party, (is, could_become));
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
                expect.findings.insert(red_line, finding);
            }
        }
        let constraints: Vec<&str> = scenario.constraints.iter().map(|constraint| &*constraint.id).collect();
        let cautions: Vec<&str> = scenario.cautions.iter().map(|caution| &*caution.id).collect();
        expect.warnings = entry.warnings.map(|node| self.certainties(&node, "constraint", &constraints));
        expect.cautions = entry.cautions.map(|node| self.certainties(&node, "caution", &cautions));
        expect
    }

    fn finding(&mut self, entry: FindingEntry, red_line: &str) -> ExpectFinding {
        let scenario = self.scenario;
        let found = scenario.red_lines.iter().find(|known| &*known.id == red_line);
        let waivers: Vec<&str> =
            found.iter().flat_map(|found| found.waivers.iter().map(|waiver| &*waiver.id)).collect();
        let reasons = entry.reasons.map(|reasons| {
            let each = reasons.into_iter().map(|reason| {
                reason.into_iter().inspect(|cause| self.check_cause(cause)).map(|cause| cause.value.0).collect()
            });
            each.collect()
        });
        let inputs: Vec<&str> = scenario.inputs.iter().map(|input| &*input.id).collect();
        let hangs_on = entry.hangs_on.map(|ids| {
            let ids = ids.into_iter();
            ids.inspect(|id| self.known("issue or circumstance", &id.value.0, id.place, inputs.iter().copied()))
                .map(|id| id.value.0)
                .collect()
        });
        ExpectFinding {
            is: entry.is,
            firmness: entry.firmness,
            firmness_at_worst: entry.firmness_at_worst,
            reasons,
            hangs_on,
            waivers: entry.waivers.map(|node| self.certainties(&node, "waiver", &waivers)),
            rows: entry.rows.unwrap_or_default().into_iter().map(|row| row.0).collect(),
        }
    }

    /// `issue`, or `issue.member` for an issue that is a set of members.
    fn check_cause(&mut self, cause: &At<Text>) {
        let text = &cause.value.0;
        let (id, member) = text.split_once('.').map_or((text.as_str(), None), |(id, member)| (id, Some(member)));
        let known = self.scenario.inputs.iter().map(|input| &*input.id);
        self.known("issue or circumstance", id, cause.place, known);
        let Some(input) = self.scenario.inputs.iter().find(|input| &*input.id == id) else { return };
        let message = match (&input.domain, member) {
            (Domain::Members(_), Some(member)) if input.domain.entry(member).is_some() => return,
            (Domain::Members(_), Some(member)) => format!("`{id}` has no member `{member}`"),
            (Domain::Members(_), None) => format!("members count one by one: write `{id}.MEMBER`"),
            (_, Some(_)) => format!("`{id}` has no members"),
            (_, None) => return,
        };
        self.faults.add(cause.place, message);
    }

    fn known<'b>(&mut self, what: &str, id: &str, place: Place, known: impl IntoIterator<Item = &'b str>) {
        let known: Vec<&str> = known.into_iter().collect();
        if !known.contains(&id) {
            let hint = self.faults.hint(id, known);
            self.faults.add(place, format!("there is no {what} `{id}`{hint}"));
        }
    }

    fn set(&mut self, ids: Option<Vec<At<Kebab>>>, what: &str, known: &[&str]) -> Option<BTreeSet<String>> {
        let ids = ids?.into_iter();
        let ids = ids.inspect(|id| self.known(what, &id.value.0, id.place, known.iter().copied()));
        Some(ids.map(|id| id.value.0).collect())
    }

    /// The entries of a map by known ids.
    fn map<'b>(&mut self, node: Option<&'b Node>, what: &str, known: &[&str]) -> Vec<(String, &'b Node)> {
        let Some(node) = node else { return Vec::new() };
        let Content::Mapping(entries) = &node.content else {
            self.faults.add(node.place, format!("a map by {what} is expected here, not {}", node.describe()));
            return Vec::new();
        };
        let entries = entries.iter();
        entries
            .inspect(|(key, _)| self.known(what, &key.text, key.place, known.iter().copied()))
            .map(|(key, value)| (key.text.clone(), value))
            .collect()
    }

    fn certainties(&mut self, node: &Node, what: &str, known: &[&str]) -> BTreeMap<String, Certainty> {
        let entries = self.map(Some(node), what, known);
        let read = entries.into_iter().filter_map(|(id, node)| Some((id, Certainty::read(node, &mut self.faults)?)));
        read.collect()
    }
}
