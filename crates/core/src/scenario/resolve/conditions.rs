//! Conditions: read, placed in their space, compiled, and held to making a difference.

use super::Resolver;
use super::inputs::Drafts;
use super::lines::{Draft, DraftCaution, DraftConstraint, DraftLine};
use crate::scenario::diagnostics::Place;
use crate::scenario::document::place_within;
use crate::scenario::limits::{MAX_EDITIONS, MAX_LITERALS};
use crate::scenario::model::{Caution, Condition, Constraint, Input, RedLine, Waiver};
use crate::scenario::record::Cel;
use detente_condition::{ConditionErrorKind, Decision, Formula, Space, WorkBudget, read};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// Everything that has conditions, compiled.
pub(super) struct Compiled {
    pub(super) red_lines: Vec<RedLine>,
    pub(super) constraints: Vec<Constraint>,
    pub(super) cautions: Vec<Caution>,
}

impl Resolver<'_> {
    /// Reads a condition; its faults are told where they are.
    pub(super) fn formula(&mut self, cel: &Cel) -> Option<Formula> {
        match read(&cel.text, &self.vocabulary) {
            Ok(formula) => Some(formula),
            Err(faults) => {
                for fault in faults {
                    let follows = matches!(&fault.kind, ConditionErrorKind::UnknownName { name, .. } if self.inputs.unread.may_mean(name));
                    if !follows {
                        let place = place_within(&cel.node, fault.at, self.characters);
                        self.faults.add(place, fault.kind.to_string());
                    }
                }
                None
            }
        }
    }

    /// The space of all conditions that could be read.
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

    /// Compiles all conditions. `None` where one of them, or something around it, could not be read.
    pub(super) fn compile(
        &mut self,
        space: Option<&Space>,
        red_lines: &[DraftLine],
        constraints: &[DraftConstraint],
        cautions: &[DraftCaution],
    ) -> Option<Compiled> {
        let space = space?;
        let mut literals = 0;
        let red_lines: Vec<Option<RedLine>> =
            red_lines.iter().map(|draft| self.compiled_line(draft, space, &mut literals)).collect();
        let constraints: Vec<Option<Constraint>> = constraints
            .iter()
            .map(|draft| {
                let forbids = self.condition(draft.forbids.as_ref()?, space, "broken", &mut literals);
                Some(Constraint { id: draft.id.clone(), title: draft.title.clone(), forbids: forbids? })
            })
            .collect();
        let cautions: Vec<Option<Caution>> = cautions
            .iter()
            .map(|draft| {
                let when = self.condition(draft.when.as_ref()?, space, "shown", &mut literals);
                let (id, text, evidence) = (draft.id.clone(), draft.text.clone(), draft.evidence.clone());
                Some(Caution { id, text, when: when?, evidence })
            })
            .collect();
        if literals > MAX_LITERALS {
            let message = format!(
                "compiled, the conditions make more than {MAX_LITERALS} tests together; that is more than is kept"
            );
            self.faults.add(Place::START, message);
        }
        Some(Compiled {
            red_lines: red_lines.into_iter().collect::<Option<_>>()?,
            constraints: constraints.into_iter().collect::<Option<_>>()?,
            cautions: cautions.into_iter().collect::<Option<_>>()?,
        })
    }

    fn compiled_line(&mut self, draft: &DraftLine, space: &Space, literals: &mut usize) -> Option<RedLine> {
        let condition = draft.condition.as_ref();
        // Under `requires`, "never holds" is "always crossed".
        let condition = condition.and_then(|condition| {
            let decision = self.decision(condition, space, literals)?;
            let (crossed, clear) =
                if draft.requires { (&decision.fails, &decision.holds) } else { (&decision.holds, &decision.fails) };
            if crossed.is_empty() {
                return self.fault(condition.place, "the red line can never be crossed");
            }
            if clear.is_empty() {
                return self.fault(condition.place, "the red line is always crossed");
            }
            Some(Condition { text: condition.text.clone(), formula: condition.formula.clone(), decision })
        });
        // A waiver of what is never crossed, or always, is no further fault.
        if condition.is_some() {
            self.check_waivers(draft, space);
        }
        let waivers: Vec<Option<Waiver>> = draft
            .waivers
            .iter()
            .map(|waiver| {
                let when = self.condition(waiver.when.as_ref()?, space, "in force", literals)?;
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
            requires: draft.requires,
            condition: condition?,
            firmness: draft.firmness?,
            held: draft.held.clone(),
            evidence: draft.evidence.clone(),
            waivers: waivers.into_iter().collect::<Option<_>>()?,
            binding_probability: draft.binding_probability,
        })
    }

    fn decision(&mut self, draft: &Draft, space: &Space, literals: &mut usize) -> Option<Decision> {
        // Told once, in the end; until then no more is held in memory.
        if *literals > MAX_LITERALS {
            return None;
        }
        match Decision::compile(&draft.formula, space, WorkBudget::default()) {
            Ok(decision) => {
                *literals += decision.holds.literal_count() + decision.fails.literal_count();
                Some(decision)
            }
            Err(cause) => self.fault(draft.place, cause.to_string()),
        }
    }

    /// A condition that sometimes holds and sometimes does not.
    fn condition(&mut self, draft: &Draft, space: &Space, what: &str, literals: &mut usize) -> Option<Condition> {
        let decision = self.decision(draft, space, literals)?;
        if decision.holds.is_empty() {
            return self.fault(draft.place, format!("the condition never holds: this could never be {what}"));
        }
        if decision.fails.is_empty() {
            return self.fault(draft.place, format!("the condition always holds: this would always be {what}"));
        }
        Some(Condition { text: draft.text.clone(), formula: draft.formula.clone(), decision })
    }

    pub(super) fn check_editions(&mut self, inputs: &[Input], red_lines: &[DraftLine], place: Place) {
        let Some((first, last)) = self.covers else { return };
        let of_lines = red_lines
            .iter()
            .flat_map(|red_line| red_line.held.iter().chain(red_line.waivers.iter().flat_map(|waiver| &waiver.held)));
        let changes = of_lines.flat_map(|span| [Some(span.from), span.until]);
        let defaults = inputs.iter().flat_map(|input| input.defaults.iter().map(|dated| dated.from));
        let days: BTreeSet<Date> =
            changes.chain(defaults).flatten().filter(|day| *day > first && *day <= last).collect();
        if days.len() + 1 > MAX_EDITIONS {
            let message = format!(
                "there are {} editions, days on which something begins or ends; at most {MAX_EDITIONS} are kept",
                days.len() + 1
            );
            self.faults.add(place, message);
        }
    }
}
