//! Estimates the memory of a compiled scenario and of hypotheses, for limits on memory.
//!
//! The estimate includes the parts that grow with the data: texts, conditions and the cubes (conjunctions of tests) to
//! which they are compiled, one state for each edition (a range of days without changes), and indexes. It does not
//! include the overhead of the allocator.

use super::compiled::Compiled;
use super::supposed::Supposed;
use crate::scenario::model::{Condition, Evidence, Input, Proposal, RedLine, Span, Term};
use detente_condition::{Answer, Cubes};
use std::mem::size_of;

impl Compiled {
    /// Returns the memory of the compiled scenario, in bytes, as estimated when it was compiled.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Estimates the memory of the compiled scenario, in bytes.
    pub(super) fn count_bytes(&self) -> usize {
        let scenario = self.scenario();
        let red_lines: usize = scenario.red_lines.iter().map(of_red_line).sum();
        let constraints = scenario.constraints.iter().map(|part| part.title.len() + of_condition(&part.forbids));
        let cautions = scenario.cautions.iter().map(|part| {
            part.text.len() + of_condition(&part.when) + part.evidence.iter().map(of_evidence).sum::<usize>()
        });
        let inputs: usize = scenario.inputs.iter().map(of_input).sum();
        let proposals: usize = scenario.proposals.iter().map(of_proposal).sum();
        let editions = self.edition_days().count();
        let per_edition = scenario.inputs.len() * (size_of::<Answer>() + size_of::<u128>()) + self.watcher_count() / 8;
        let watchers: usize = scenario.inputs.indices().map(|input| self.watchers(input).len() * 4).sum();
        let deciding = scenario.red_lines.indices().map(|line| size_of_val(self.deciding_inputs(line))).sum::<usize>();
        let ladders: usize = self.ladder_cubes().map(Cubes::bytes).sum();
        size_of::<Self>()
            + red_lines
            + constraints.sum::<usize>()
            + cautions.sum::<usize>()
            + inputs
            + scenario.vocabulary.bytes()
            + proposals
            + editions * per_edition
            + watchers
            + deciding
            + ladders
    }
}

impl Supposed {
    /// Estimates the memory of the hypotheses, in bytes: of the red lines that they add.
    pub fn bytes(&self) -> usize {
        self.space.bytes() + self.added.iter().map(of_red_line).sum::<usize>()
    }
}

fn of_red_line(red_line: &RedLine) -> usize {
    let waivers = red_line.waivers.iter().map(|waiver| {
        size_of_val(waiver)
            + waiver.title.len()
            + of_condition(&waiver.when)
            + waiver.held.len() * size_of::<Span>()
            + waiver.evidence.iter().map(of_evidence).sum::<usize>()
    });
    size_of::<RedLine>()
        + red_line.title.len()
        + of_condition(&red_line.condition)
        + red_line.held.len() * size_of::<Span>()
        + red_line.evidence.iter().map(of_evidence).sum::<usize>()
        + waivers.sum::<usize>()
}

fn of_evidence(evidence: &Evidence) -> usize {
    size_of::<Evidence>() + evidence.speaker.len() + evidence.statement.len() + evidence.quote.len()
}

fn of_condition(condition: &Condition) -> usize {
    size_of::<Condition>() + condition.text.len() + condition.formula.bytes() + condition.decision.bytes()
}

fn of_input(input: &Input) -> usize {
    let entries = input.domain.entries().iter().map(|entry| size_of::<usize>() * 4 + entry.len());
    size_of::<Input>()
        + input.title.len()
        + input.question.len()
        + input.note.len()
        + entries.sum::<usize>()
        + input.entry_titles.iter().map(|title| size_of::<String>() + title.len()).sum::<usize>()
        + size_of_val(input.defaults.as_slice())
        + input.evidence.iter().map(of_evidence).sum::<usize>()
}

fn of_proposal(proposal: &Proposal) -> usize {
    size_of::<Proposal>() + proposal.title.len() + proposal.description.len() + proposal.terms.len() * size_of::<Term>()
}
