//! Reads and compiles the conditions of a file, and reports conditions that are never or always true.
//!
//! Must not know how waivers compare with one another.

use super::inputs::Drafts;
use super::lines::{DraftCaution, DraftCondition, DraftConstraint, DraftLine};
use super::resolver::Resolver;
use crate::scenario::budget::Owner;
use crate::scenario::condition_text::Cel;
use crate::scenario::diagnostics::Place;
use crate::scenario::document::place_within;
use crate::scenario::index::{CautionIndex, ConstraintIndex, IndexVec, RedLineIndex};
use crate::scenario::limits::MAX_EDITIONS;
use crate::scenario::model::{Caution, Condition, Constraint, Input, RedLine, Waiver};
use detente_condition::{ConditionErrorKind, Decision, Formula, Space, read_within};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// The parts of a scenario that have conditions, with the conditions compiled.
pub(super) struct CompiledParts {
    pub(super) red_lines: IndexVec<RedLineIndex, RedLine>,
    pub(super) constraints: IndexVec<ConstraintIndex, Constraint>,
    pub(super) cautions: IndexVec<CautionIndex, Caution>,
}

impl Resolver<'_> {
    /// Reads a condition, and places its faults in the file. `owner` is the part to which the condition belongs.
    pub(super) fn formula(&mut self, cel: &Cel, owner: &Owner) -> Option<Formula> {
        let vocabulary = &self.vocabulary;
        match self.budget.run(owner, cel.node.place, |work| read_within(cel.text(), vocabulary, work))? {
            Ok(formula) => {
                self.budget.hold(Some(owner), formula.bytes())?;
                Some(formula)
            }
            Err(faults) => {
                for fault in faults {
                    let unread = &self.inputs.unread;
                    let is_consequence =
                        matches!(&fault.kind, ConditionErrorKind::UnknownName { name, .. } if unread.may_mean(name));
                    if !is_consequence {
                        let place = place_within(&cel.node, fault.at, self.characters);
                        self.faults.add(place, fault.kind.to_string());
                    }
                }
                None
            }
        }
    }

    /// Builds the space of all conditions that could be read: for each input, the values that these conditions can
    /// distinguish.
    pub(super) fn space(
        &mut self,
        drafts: &Drafts,
        red_lines: &[DraftLine],
        constraints: &[DraftConstraint],
        cautions: &[DraftCaution],
    ) -> Option<Space> {
        let of_lines = red_lines.iter().flat_map(|red_line| {
            red_line.condition.iter().chain(red_line.waivers.iter().filter_map(|waiver| waiver.when.as_ref()))
        });
        let others = constraints.iter().filter_map(|constraint| constraint.forbids.as_ref());
        let others = others.chain(cautions.iter().filter_map(|caution| caution.when.as_ref()));
        let formulas = of_lines.chain(others).map(|draft| &draft.formula);
        match Space::new(drafts.inputs.iter().map(|input| &input.domain), formulas) {
            Ok(space) => Some(space),
            Err(faults) => {
                for fault in faults {
                    let place = drafts.places.get(fault.input.index()).copied().unwrap_or(Place::START);
                    self.faults.add(place, fault.to_string());
                }
                None
            }
        }
    }

    /// Compiles all conditions, in the space that `space` built for them.
    ///
    /// Returns `None` if a condition, or the part that contains it, could not be read.
    pub(super) fn compile(
        &mut self,
        space: Option<&Space>,
        red_lines: &[DraftLine],
        constraints: &[DraftConstraint],
        cautions: &[DraftCaution],
    ) -> Option<CompiledParts> {
        let space = space?;
        let red_lines: Vec<Option<RedLine>> = red_lines.iter().map(|draft| self.compiled_line(draft, space)).collect();
        let constraints: Vec<Option<Constraint>> = constraints
            .iter()
            .map(|draft| {
                let forbids = self.condition(draft.forbids.as_ref()?, space, ("constraint", "broken"));
                Some(Constraint { id: draft.id.clone(), title: draft.title.clone(), forbids: forbids? })
            })
            .collect();
        let cautions: Vec<Option<Caution>> = cautions
            .iter()
            .map(|draft| {
                let when = self.condition(draft.when.as_ref()?, space, ("caution", "shown"));
                let (id, text, evidence) = (draft.id.clone(), draft.text.clone(), draft.evidence.clone());
                Some(Caution { id, text, when: when?, evidence })
            })
            .collect();
        Some(CompiledParts {
            red_lines: red_lines.into_iter().collect::<Option<_>>()?,
            constraints: constraints.into_iter().collect::<Option<_>>()?,
            cautions: cautions.into_iter().collect::<Option<_>>()?,
        })
    }

    fn compiled_line(&mut self, draft: &DraftLine, space: &Space) -> Option<RedLine> {
        let condition = draft.condition.as_ref();
        // With `requires`, a condition that is never true means a red line that is always crossed.
        let condition = condition.and_then(|condition| {
            let decision = self.decision(condition, space)?;
            let (crossed, clear) = draft.polarity.sides(&decision);
            if crossed.is_empty() {
                return self.fault(condition.place, "the red line can never be crossed");
            }
            if clear.is_empty() {
                return self.fault(condition.place, "the red line is always crossed");
            }
            Some(Condition { text: condition.text.clone(), formula: condition.formula.clone(), decision })
        });
        // Waivers of a red line with a faulty condition are not checked, because their faults might only follow from
        // it.
        if condition.is_some() {
            self.check_waivers(draft, space);
        }
        let waivers: Vec<Option<Waiver>> = draft
            .waivers
            .iter()
            .map(|waiver| {
                let when = self.condition(waiver.when.as_ref()?, space, ("waiver", "in force"))?;
                Some(Waiver {
                    id: waiver.id.clone(),
                    title: waiver.title.clone(),
                    when,
                    firmness: waiver.firmness?,
                    held: waiver.held.clone(),
                    evidence: waiver.evidence.clone(),
                })
            })
            .collect();
        Some(RedLine {
            id: draft.id.clone(),
            party: draft.party?,
            title: draft.title.clone(),
            polarity: draft.polarity,
            condition: condition?,
            firmness: draft.firmness?,
            held: draft.held.clone(),
            evidence: draft.evidence.clone(),
            waivers: waivers.into_iter().collect::<Option<_>>()?,
            binding_probability: draft.binding_probability,
        })
    }

    fn decision(&mut self, draft: &DraftCondition, space: &Space) -> Option<Decision> {
        let compile = |work: &mut _| Decision::compile_within(&draft.formula, space, work);
        match self.budget.run(&draft.owner, draft.place, compile)? {
            Ok(decision) => {
                // The formula is copied, because the draft still needs it.
                self.budget.hold(Some(&draft.owner), draft.formula.bytes() + decision.bytes())?;
                Some(decision)
            }
            Err(cause) => self.fault(draft.place, cause.to_string()),
        }
    }

    /// Compiles a condition, and reports one that is never or always true.
    ///
    /// `effect` is the kind of part that has the condition, and the state of the part if the condition is true; for
    /// example, `("constraint", "broken")`.
    fn condition(&mut self, draft: &DraftCondition, space: &Space, effect: (&str, &str)) -> Option<Condition> {
        let (part, state) = effect;
        let decision = self.decision(draft, space)?;
        if decision.holds.is_empty() {
            return self
                .fault(draft.place, format!("the condition is never true, so the {part} could never be {state}"));
        }
        if decision.fails.is_empty() {
            return self
                .fault(draft.place, format!("the condition is always true, so the {part} would always be {state}"));
        }
        Some(Condition { text: draft.text.clone(), formula: draft.formula.clone(), decision })
    }

    pub(super) fn check_editions(&mut self, inputs: &[Input], red_lines: &[DraftLine], place: Place) {
        let Some(covers) = self.covers else { return };
        let of_lines = red_lines
            .iter()
            .flat_map(|red_line| red_line.held.iter().chain(red_line.waivers.iter().flat_map(|waiver| &waiver.held)));
        let changes = of_lines.flat_map(|span| [Some(span.from), span.until]);
        let defaults = inputs.iter().flat_map(|input| input.defaults.iter().map(|dated| dated.from));
        let days: BTreeSet<Date> =
            changes.chain(defaults).flatten().filter(|day| covers.contains(*day) && *day > covers.first()).collect();
        if days.len() + 1 > MAX_EDITIONS {
            let message = format!(
                "the dates of red lines, waivers and values divide the covered days into {} ranges; the limit is \
                 {MAX_EDITIONS}",
                days.len() + 1
            );
            self.faults.add(place, message);
        }
    }
}
