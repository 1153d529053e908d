//! Describes a scenario as parts with fields, for the comparison with another scenario.
//!
//! Structs are destructured completely, so that the compiler reports a new field that is missing here. Must not know of
//! the comparison.

use super::part::{Content, Field, Part, Section, Stated};
use super::words;
use crate::scenario::index::PartyIndex;
use crate::scenario::model::{
    Caution, Condition, Constraint, Evidence, Group, Input, Party, Preference, Proposal, RedLine, Scenario, Source,
    Span, Term, Waiver,
};
use detente_condition::{Domain, Formula, InputIndex};

/// Describes all parts of a scenario, in the order of the file format.
pub(super) fn sections(scenario: &Scenario) -> Vec<(Section, Vec<Part>)> {
    let Scenario {
        id,
        title,
        description,
        covers,
        as_of,
        // Derived from the rest.
        revision: _,
        sources,
        parties,
        groups,
        // Described below, as issues and as circumstances.
        inputs: _,
        issue_count: _,
        // Derived from the inputs and groups.
        vocabulary: _,
        // Derived from the conditions.
        space: _,
        red_lines,
        constraints,
        cautions,
        preferences,
        proposals,
    } = scenario;
    let of_itself = vec![
        word("scenario", id),
        text("title", title),
        text("description", description),
        word("covers", covers),
        word("as_of", as_of.to_string()),
    ];
    let describer = Describer(scenario);
    let issues = scenario.issues().iter();
    let circumstances = scenario.circumstances().iter();
    vec![
        (Section::Scenario, vec![Part { id: String::new(), fields: of_itself }]),
        (Section::Sources, sources.iter().map(source).collect()),
        (Section::Parties, parties.iter().map(party).collect()),
        (Section::Groups, groups.iter().map(group).collect()),
        (Section::Issues, issues.map(|input| describer.input(input, "status_quo")).collect()),
        (Section::Circumstances, circumstances.map(|input| describer.input(input, "assumed")).collect()),
        (Section::RedLines, red_lines.iter().map(|line| describer.red_line(line)).collect()),
        (Section::Constraints, constraints.iter().map(constraint).collect()),
        (Section::Cautions, cautions.iter().map(|caution| describer.caution(caution)).collect()),
        (Section::Preferences, preferences.iter().map(|preference| describer.preference(preference)).collect()),
        (Section::Proposals, proposals.iter().map(|proposal| describer.proposal(proposal)).collect()),
    ]
}

fn word(key: &'static str, word: impl ToString) -> Field {
    Field { key, content: Content::Word(word.to_string()) }
}

fn text(key: &'static str, text: &str) -> Field {
    Field { key, content: Content::Text(text.to_owned()) }
}

fn list<T: ToString>(key: &'static str, entries: impl IntoIterator<Item = T>) -> Field {
    Field { key, content: Content::List(entries.into_iter().map(|entry| entry.to_string()).collect()) }
}

fn parts(key: &'static str, parts: impl IntoIterator<Item = Part>) -> Field {
    Field { key, content: Content::Parts(parts.into_iter().collect()) }
}

fn source(source: &Source) -> Part {
    let Source { id, title, publisher, authors, published, url, note } = source;
    let fields = vec![
        text("title", title),
        text("publisher", publisher),
        list("authors", authors),
        word("published", words::date(*published)),
        word("url", url),
        text("note", note),
    ];
    Part { id: id.to_string(), fields }
}

fn party(party: &Party) -> Part {
    let Party { id, name, role, description, reservation_value } = party;
    let fields = vec![
        text("name", name),
        word("role", words::role(*role)),
        text("description", description),
        word("reservation_value", words::number(*reservation_value)),
    ];
    Part { id: id.to_string(), fields }
}

fn group(group: &Group) -> Part {
    let Group { id, name, members, note } = group;
    Part { id: id.to_string(), fields: vec![text("name", name), list("members", &**members), text("note", note)] }
}

fn constraint(constraint: &Constraint) -> Part {
    let Constraint { id, title, forbids } = constraint;
    let formula = forbids.formula.clone();
    Part { id: id.to_string(), fields: vec![text("title", title), condition("forbids", "forbids", forbids, formula)] }
}

fn condition(field: &'static str, key: &'static str, condition: &Condition, formula: Formula) -> Field {
    // The formula is a separate argument, because the formula of a red line says when the red line is crossed: for
    // `requires`, that is the opposite of the written condition.
    let Condition { text, formula: _, decision: _ } = condition;
    Field { key: field, content: Content::Condition { stated: Stated { key, text: text.clone() }, formula } }
}

fn held(spans: &[Span]) -> Field {
    list("held", spans.iter().map(words::span))
}

fn entry(id: &str, title: Option<&String>) -> Part {
    Part { id: id.to_string(), fields: vec![text("title", title.map_or("", String::as_str))] }
}

/// Describes the parts that refer to other parts of the scenario.
struct Describer<'a>(&'a Scenario);

impl Describer<'_> {
    fn party(&self, party: PartyIndex) -> &str {
        self.0.parties.get(party).map_or("", |party| party.id.as_str())
    }

    fn issue(&self, input: InputIndex) -> Option<&Input> {
        self.0.inputs.get(input)
    }

    fn evidence(&self, evidence: &[Evidence]) -> Field {
        parts(
            "evidence",
            evidence.iter().map(|piece| {
                let Evidence { source, kind, speaker, statement, quote, date, direction, row } = piece;
                let source = self.0.sources.get(*source).map_or("", |source| source.id.as_str());
                let fields = vec![
                    word("source", source),
                    word("kind", words::evidence_kind(*kind)),
                    word("speaker", speaker),
                    text("statement", statement),
                    text("quote", quote),
                    word("date", words::date(*date)),
                    word("speaks", direction.word()),
                    word("row", row),
                ];
                Part { id: String::new(), fields }
            }),
        )
    }

    /// Describes an issue or circumstance. `default` is the key of the values that apply if a request gives none.
    fn input(&self, input: &Input, default: &'static str) -> Part {
        let Input { id, title, question, domain, entry_titles, unit, defaults, taxonomy, rows, note, evidence } = input;
        let mut fields = vec![text("title", title), text("question", question), word("kind", domain.kind())];
        let entries = || domain.entries().iter().enumerate().map(|(at, id)| entry(id, entry_titles.get(at)));
        match domain {
            Domain::Flag => {}
            Domain::Choice(_) => fields.push(parts("options", entries())),
            Domain::Members(_) => fields.push(parts("members", entries())),
            Domain::Quantity { min, max } => fields.push(word("range", format!("{min} to {max}"))),
        }
        fields.extend([
            word("unit", unit),
            list(default, defaults.iter().map(|dated| words::dated(domain, dated))),
            list("taxonomy", taxonomy),
            list("rows", rows),
            text("note", note),
            self.evidence(evidence),
        ]);
        Part { id: id.to_string(), fields }
    }

    fn red_line(&self, red_line: &RedLine) -> Part {
        let RedLine {
            id,
            party,
            title,
            polarity,
            condition: stated,
            firmness,
            held: spans,
            evidence,
            waivers,
            binding_probability,
        } = red_line;
        let fields = vec![
            word("party", self.party(*party)),
            text("title", title),
            condition("condition", polarity.word(), stated, red_line.crossed()),
            word("firmness", firmness.word()),
            held(spans),
            self.evidence(evidence),
            parts("waivers", waivers.iter().map(|waiver| self.waiver(waiver))),
            word("binding_probability", words::number(*binding_probability)),
        ];
        Part { id: id.to_string(), fields }
    }

    fn waiver(&self, waiver: &Waiver) -> Part {
        let Waiver { id, title, when, firmness, held: spans, evidence } = waiver;
        let fields = vec![
            text("title", title),
            condition("when", "when", when, when.formula.clone()),
            word("firmness", firmness.word()),
            held(spans),
            self.evidence(evidence),
        ];
        Part { id: id.to_string(), fields }
    }

    fn caution(&self, caution: &Caution) -> Part {
        let Caution { id, text: said, when, evidence } = caution;
        let fields =
            vec![text("text", said), condition("when", "when", when, when.formula.clone()), self.evidence(evidence)];
        Part { id: id.to_string(), fields }
    }

    fn preference(&self, preference: &Preference) -> Part {
        let Preference { party, issue, ranking, evidence } = preference;
        let issue = self.issue(*issue);
        let (key, ranked) = issue.map_or_else(|| ("order", Vec::new()), |issue| words::ranking(&issue.domain, ranking));
        let id = format!("{} on {}", self.party(*party), issue.map_or("", |issue| issue.id.as_str()));
        Part { id, fields: vec![list(key, ranked), self.evidence(evidence)] }
    }

    fn proposal(&self, proposal: &Proposal) -> Part {
        let Proposal { id, title, description, terms, rows } = proposal;
        let terms = terms.iter().filter_map(|term| {
            let Term { issue, answer } = term;
            let input = self.issue(*issue)?;
            let answer = words::answer(&input.domain, answer);
            Some(Part { id: input.id.to_string(), fields: vec![word("answer", answer)] })
        });
        let fields =
            vec![text("title", title), text("description", description), parts("terms", terms), list("rows", rows)];
        Part { id: id.to_string(), fields }
    }
}
