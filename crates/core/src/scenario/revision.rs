//! The revision of a scenario: a hash of its content and of the version of the rules of evaluation.
//!
//! Formatting and comments do not affect the hash. The order of lists does, because responses list the parts of a
//! scenario in this order. Every item is hashed with its length or a tag of its kind, so that different contents never
//! produce the same bytes. Structs are destructured completely, so that the compiler reports a new field that is
//! missing here.
//!
//! Must not know of the file format: the hash is computed from the model.

use super::model::{
    Beginning, Caution, Condition, Constraint, Dated, Evidence, EvidenceDirection, Group, Input, Party, Polarity,
    Preference, Proposal, Ranking, RedLine, Revision, Scenario, Source, Span, Term, Waiver,
};
use data_encoding::HEXLOWER;
use detente_condition::{Answer, Domain, Value};
use jiff::civil::Date;
use sha2::{Digest, Sha256};

/// The version of the rules of evaluation.
///
/// Increment it when the answers for an unchanged scenario change, because a revision must always produce the same
/// answers.
const SEMANTICS_VERSION: u64 = 1;
/// The length of a revision, in hexadecimal digits.
const REVISION_DIGITS: usize = 32;

/// Writes the content of a scenario into the hash.
struct Writer(Sha256);

/// Computes the revision of a scenario.
pub(super) fn of(scenario: &Scenario) -> Revision {
    let Scenario {
        id,
        title,
        description,
        covers,
        as_of,
        revision: _,
        sources,
        parties,
        groups,
        inputs,
        issue_count,
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
    let mut w = Writer(Sha256::new());
    w.number(SEMANTICS_VERSION);
    w.texts([id.as_str(), title, description]);
    w.date(covers.first());
    w.date(covers.last());
    w.date(*as_of);
    w.list(sources, Writer::source);
    w.list(parties, |w, Party { id, name, role, description, reservation_value }| {
        w.texts([id.as_str(), name, description]);
        w.number(*role as u64);
        w.optional_number(*reservation_value);
    });
    w.list(groups, |w, Group { id, name, members, note }| {
        w.texts([id.as_str(), name, note]);
        w.list(members, |w, member| w.text(member));
    });
    w.list(inputs, Writer::input);
    w.number(*issue_count as u64);
    w.list(red_lines, Writer::red_line);
    w.list(constraints, |w, Constraint { id, title, forbids }| {
        w.texts([id.as_str(), title]);
        w.condition(forbids);
    });
    w.list(cautions, |w, Caution { id, text, when, evidence }| {
        w.texts([id.as_str(), text]);
        w.condition(when);
        w.list(evidence, Writer::evidence);
    });
    w.list(preferences, Writer::preference);
    w.list(proposals, |w, Proposal { id, title, description, terms, rows }| {
        w.texts([id.as_str(), title, description]);
        w.list(terms, |w, Term { issue, answer }| {
            w.number(u64::from(issue.0));
            w.answer(answer);
        });
        w.list(rows, |w, row| w.text(row));
    });
    let mut digits = HEXLOWER.encode(&w.0.finalize());
    digits.truncate(REVISION_DIGITS);
    Revision(digits.into())
}

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| write(self, item));
    }

    fn date(&mut self, date: Date) {
        self.text(&date.to_string());
    }

    fn optional_date(&mut self, date: Option<Date>) {
        self.number(u64::from(date.is_some()));
        date.into_iter().for_each(|date| self.date(date));
    }

    fn source(&mut self, source: &Source) {
        let Source { id, title, publisher, authors, published, url, note } = source;
        self.texts([id.as_str(), title, publisher, url, note]);
        self.list(authors, |w, author| w.text(author));
        self.optional_date(*published);
    }

    fn input(&mut self, input: &Input) {
        let Input { id, title, question, domain, entry_titles, unit, defaults, taxonomy, rows, note, evidence } = input;
        self.texts([id.as_str(), title, question, unit, note, domain.kind()]);
        match domain {
            Domain::Flag => {}
            Domain::Choice(entries) | Domain::Members(entries) => self.list(entries, |w, entry| w.text(entry)),
            Domain::Quantity { min, max } => {
                self.number(min.cast_unsigned());
                self.number(max.cast_unsigned());
            }
        }
        self.list(entry_titles, |w, title| w.text(title));
        self.list(defaults, |w, Dated { from, value }| {
            w.optional_date(*from);
            w.value(value);
        });
        self.list(taxonomy, |w, code| w.text(code));
        self.list(rows, |w, row| w.text(row));
        self.list(evidence, Writer::evidence);
    }

    fn value(&mut self, value: &Value) {
        let (tag, content) = match value {
            Value::Flag(flag) => (0, u64::from(*flag)),
            Value::Choice(option) => (1, u64::from(option.0)),
            Value::Members(members) => (2, *members),
            Value::Quantity(number) => (3, number.cast_unsigned()),
        };
        self.number(tag);
        self.number(content);
    }

    fn answer(&mut self, answer: &Answer) {
        let (tag, first, second) = match answer {
            Answer::Exact(value) => {
                self.number(0);
                return self.value(value);
            }
            Answer::AnyOf(options) => (1, *options, 0),
            Answer::Range { min, max } => (2, min.cast_unsigned(), max.cast_unsigned()),
            Answer::Partial { includes, excludes } => (3, *includes, *excludes),
            Answer::Unsettled => (4, 0, 0),
        };
        [tag, first, second].into_iter().for_each(|number| self.number(number));
    }

    fn red_line(&mut self, red_line: &RedLine) {
        let RedLine { id, party, title, polarity, condition, firmness, held, evidence, waivers, binding_probability } =
            red_line;
        self.texts([id.as_str(), title]);
        self.number(party.index() as u64);
        self.number(match polarity {
            Polarity::Rejects => 0,
            Polarity::Requires => 1,
        });
        self.condition(condition);
        self.number(*firmness as u64);
        self.list(held, Writer::span);
        self.list(evidence, Writer::evidence);
        self.list(waivers, |w, Waiver { id, title, when, firmness, held, evidence }| {
            w.texts([id.as_str(), title]);
            w.condition(when);
            w.number(*firmness as u64);
            w.list(held, Writer::span);
            w.list(evidence, Writer::evidence);
        });
        self.optional_number(*binding_probability);
    }

    /// Hashes the value of a numeric key that was added to the format later, if the key is present.
    ///
    /// An absent number adds nothing, so that older scenarios keep their revisions. Before a present number, the mark
    /// `u64::MAX` is hashed. It cannot be confused with the item that follows an absent number: that item begins with a
    /// length or a count, which never equals the mark.
    fn optional_number(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            self.number(u64::MAX);
            self.number(number.to_bits());
        }
    }

    fn condition(&mut self, condition: &Condition) {
        // The formula and the decision are derived from the text.
        let Condition { text, formula: _, decision: _ } = condition;
        self.text(text);
    }

    fn span(&mut self, span: &Span) {
        let Span { from, beginning, until } = span;
        self.date(*from);
        self.number(match beginning {
            Beginning::FirstRecorded => 0,
            Beginning::Stated => 1,
        });
        self.optional_date(*until);
    }

    fn evidence(&mut self, evidence: &Evidence) {
        let Evidence { source, kind, speaker, statement, quote, date, direction, row } = evidence;
        self.number(source.index() as u64);
        self.number(*kind as u64);
        self.texts([&**speaker, statement, quote, row]);
        self.optional_date(*date);
        self.number(match direction {
            EvidenceDirection::For => 0,
            EvidenceDirection::Against => 1,
        });
    }

    fn preference(&mut self, preference: &Preference) {
        let Preference { party, issue, ranking, evidence } = preference;
        self.number(party.index() as u64);
        self.number(u64::from(issue.0));
        match ranking {
            Ranking::Ordinal(order) => {
                self.number(0);
                self.list(order, Writer::value);
            }
            Ranking::Cardinal(values) => {
                self.number(1);
                self.list(values, |w, (value, number)| {
                    w.value(value);
                    w.number(number.to_bits());
                });
            }
        }
        self.list(evidence, Writer::evidence);
    }
}
