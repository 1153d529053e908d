//! Reads sources, evidence, and the spans of red lines and waivers, and looks up the ids in them.
//!
//! Must not know of conditions.

use super::resolver::{Resolver, line, prose};
use crate::scenario::diagnostics::Place;
use crate::scenario::format::{EvidenceEntry, SourceEntry, SpanEntry};
use crate::scenario::ids::SourceId;
use crate::scenario::index::{IndexVec, SourceIndex};
use crate::scenario::limits::{self, MAX_QUOTE_WORDS};
use crate::scenario::model::{Beginning, Evidence, Source, Span};
use crate::scenario::record::At;

impl Resolver<'_> {
    pub(super) fn sources(&mut self, entries: Vec<SourceEntry>) -> IndexVec<SourceIndex, Source> {
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

    /// Reads spans. They must be in order, disjoint, not empty, and each at least partly within the days covered.
    pub(super) fn spans(&mut self, entries: Option<At<Vec<SpanEntry>>>, what: &str) -> Vec<Span> {
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

    /// Reads evidence, and reports an empty list.
    pub(super) fn evidence(&mut self, entries: Option<At<Vec<EvidenceEntry>>>, what: &str) -> Vec<Evidence> {
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
