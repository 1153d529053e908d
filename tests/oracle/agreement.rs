//! Compares everything that an evaluation says with the oracle, for one world (a small scenario) and one proposal.
//!
//! A cause is a settled answer to an input, or a settled member of a set, and a reason is a minimal set of causes that
//! decides a red line by itself. An opening says which values of an open input a further answer must rule out. A set of
//! openings says how the red line would become certainly crossed, or certainly clear.

use super::world::{Kind, Knowledge, RedLine, Value, World};
use detente_condition::{EntryIndex, InputIndex};
use detente_core::engine::{Cause, Certainty, Compiled, Detail, Evaluation, Finding, Opening, Status};
use detente_core::scenario;
use jiff::civil::Date;
use std::sync::Arc;

pub fn compile(yaml: &str) -> Compiled {
    let scenario = scenario::load("generated.yaml", yaml).unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
    Compiled::new(Arc::new(scenario)).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"))
}

pub fn day(world: &World) -> Option<Date> {
    Some(Date::constant(2025, 1, i8::try_from(world.day).unwrap()))
}

pub fn in_order(world: &World) -> Vec<usize> {
    (0..world.red_lines.len()).collect()
}

/// The knowledge that remains if only these causes are kept. Each settled member of a set is a cause of its own.
fn keep_only(world: &World, known: &[Knowledge], causes: &[Cause]) -> Vec<Knowledge> {
    let each = world.inputs.iter().zip(known).map(|(input, known)| {
        let mine = causes.iter().filter(|cause| cause.input.index() == input.index);
        let members: Vec<u8> = mine.clone().filter_map(|cause| Some(cause.member?.0)).collect();
        if mine.count() == 0 {
            return Knowledge::Nothing;
        }
        if members.is_empty() {
            return known.clone();
        }
        let kept = members.iter().fold(0u32, |mask, member| mask | 1 << member);
        match known {
            Knowledge::Exactly(Value::Members(inside)) => {
                Knowledge::Partly { includes: inside & kept, excludes: !inside & kept }
            }
            Knowledge::Partly { includes, excludes } => {
                Knowledge::Partly { includes: includes & kept, excludes: excludes & kept }
            }
            other => panic!("{other:?} has no members"),
        }
    });
    each.collect()
}

/// All causes: one for each settled answer or, if the input is a set of members, for each settled member.
fn settled(world: &World, known: &[Knowledge]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (input, known) in world.inputs.iter().zip(known) {
        let id = InputIndex(u16::try_from(input.index).unwrap());
        let members = match (input.kind, known) {
            (Kind::Members(count), Knowledge::Exactly(_)) => (1u32 << count) - 1,
            (_, Knowledge::Partly { includes, excludes }) => includes | excludes,
            (_, Knowledge::Nothing) => continue,
            _ => {
                causes.push(Cause { input: id, member: None });
                continue;
            }
        };
        let members = (0..32u8).filter(|member| members >> member & 1 == 1);
        causes.extend(members.map(|member| Cause { input: id, member: Some(EntryIndex(member)) }));
    }
    causes
}

fn status_of(world: &World, position: usize, known: &[Knowledge]) -> Status {
    world.judge(&world.red_lines[position], &world.completions(known)).0
}

/// Whether the values of a completion include none that the opening rules out.
fn gives(compiled: &Compiled, values: &[Value], opening: &Opening) -> bool {
    let known: Vec<Knowledge> = values.iter().map(|value| Knowledge::Exactly(*value)).collect();
    let axis = compiled.scenario().space.axis(opening.input).unwrap();
    axis.possible(&known[opening.input.index()].answer()) & opening.rules_out == 0
}

fn check_openings<'a>(
    world: &World,
    compiled: &Compiled,
    known: &[Knowledge],
    position: usize,
    crosses: bool,
    openings: impl Iterator<Item = &'a [Opening]>,
) {
    let openings: Vec<&[Opening]> = openings.collect();
    for values in world.completions(known) {
        let asked: Vec<bool> =
            openings.iter().map(|set| set.iter().all(|opening| gives(compiled, &values, opening))).collect();
        let crossed = world.crossed(&world.red_lines[position], &values);
        assert_eq!(asked.contains(&true), crossed == crosses, "{values:?} against {openings:?}");
    }
    for set in &openings {
        for (at, opening) in set.iter().enumerate() {
            // If an opening ruled out one value fewer, the set would not decide the red line in every completion.
            let bits = (0..128).map(|bit| 1u128 << bit).filter(|bit| opening.rules_out & bit != 0);
            for bit in bits {
                let mut weaker: Vec<Opening> = set.to_vec();
                weaker[at].rules_out &= !bit;
                let slips = world.completions(known).iter().any(|values| {
                    weaker.iter().all(|opening| gives(compiled, values, opening))
                        && world.crossed(&world.red_lines[position], values) != crosses
                });
                assert!(slips, "{set:?} is not minimal");
            }
        }
    }
}

fn check_reasons(world: &World, known: &[Knowledge], evaluation: &Evaluation, finding: &Finding, complete: bool) {
    let position = finding.red_line.index();
    let reasons: Vec<Vec<Cause>> = evaluation.reasons(finding).map(<[Cause]>::to_vec).collect();
    if finding.status == Status::Undetermined {
        assert!(reasons.is_empty());
        return;
    }
    assert!(!reasons.is_empty(), "a decided red line has a reason");
    for reason in &reasons {
        let alone = keep_only(world, known, reason);
        assert_eq!(status_of(world, position, &alone), finding.status, "{reason:?} does not decide by itself");
        for left_out in 0..reason.len() {
            let mut part = reason.clone();
            part.remove(left_out);
            let less = keep_only(world, known, &part);
            assert_ne!(
                status_of(world, position, &less),
                finding.status,
                "{part:?}, a part of {reason:?}, decides by itself"
            );
        }
    }
    let all = settled(world, known);
    if !complete || all.len() > 7 {
        return;
    }
    // Each minimal deciding set, found by trying all sets, is among the reported reasons.
    let decides: Vec<bool> = (0..1usize << all.len())
        .map(|set| {
            let causes: Vec<Cause> =
                all.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, cause)| *cause).collect();
            status_of(world, position, &keep_only(world, known, &causes)) == finding.status
        })
        .collect();
    for set in 0..decides.len() {
        let minimal = decides[set] && (0..all.len()).all(|at| set >> at & 1 == 0 || !decides[set & !(1 << at)]);
        if minimal {
            let mut causes: Vec<Cause> =
                all.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, cause)| *cause).collect();
            causes.sort_unstable();
            let found = reasons.iter().any(|reason| {
                let mut reason = reason.clone();
                reason.sort_unstable();
                reason == causes
            });
            assert!(found, "{causes:?} is a minimal reason and missing among {reasons:?}");
        }
    }
}

/// Compares every finding, stance, verdict and warning of a world with the oracle. With `complete_reasons`, also checks
/// that all minimal reasons are reported, which requires trying all sets of causes.
pub fn check_everything(world: &World, known_given: &[Option<Knowledge>], complete_reasons: bool) {
    let compiled = compile(&world.yaml(&in_order(world)));
    let given = world.given(known_given);
    let known = world.known(known_given);
    let completions = world.completions(&known);
    let full = compiled.evaluate(&given, day(world), Detail::Full).unwrap();
    let held = |red_line: &RedLine| red_line.held_on(world.day);
    let judgements: Vec<_> = world
        .red_lines
        .iter()
        .map(|red_line| (held(red_line) == Some(true)).then(|| world.judge(red_line, &completions)))
        .collect();
    assert_eq!(full.findings.len(), world.red_lines.iter().filter(|red_line| held(red_line).is_some()).count());
    for finding in &full.findings {
        let position = finding.red_line.index();
        let red_line = &world.red_lines[position];
        let Some(judgement) = judgements[position] else {
            assert_eq!((finding.status, held(red_line)), (Status::NotRecorded, Some(false)), "line {position}");
            continue;
        };
        assert_eq!((finding.status, finding.firmness), judgement, "line {position}");
        check_reasons(world, &known, &full, finding, complete_reasons);
        if finding.status == Status::Undetermined {
            check_openings(world, &compiled, &known, position, true, full.would_cross(finding));
            check_openings(world, &compiled, &known, position, false, full.would_clear(finding));
        }
        let waivers: Vec<_> = red_line
            .waivers
            .iter()
            .enumerate()
            .filter_map(|(at, waiver)| Some((at, world.judge_waiver(red_line, waiver, &completions)?)))
            .collect();
        let found: Vec<_> = full.waivers(finding).iter().map(|found| (found.waiver.index(), found.certainty)).collect();
        assert_eq!(found, waivers, "waivers of line {position}");
    }
    let (stances, verdict, could_become) = world.conclude(&judgements);
    let found: Vec<_> = full.stances.iter().map(|party| (party.stance, party.could_become)).collect();
    assert_eq!(found, stances);
    assert_eq!((full.verdict, full.could_become), (verdict, could_become));
    for (at, constraint) in world.constraints.iter().enumerate() {
        let broken = completions.iter().filter(|values| constraint.holds(world, values)).count();
        let expected = match broken {
            0 => None,
            all if all == completions.len() => Some(Certainty::Certain),
            _ => Some(Certainty::Possible),
        };
        assert_eq!(full.warnings.iter().find(|w| w.index.index() == at).map(|w| w.certainty), expected);
    }

    // The basic view is the full view without the red lines that are clear or not yet recorded.
    let basic = compiled.evaluate(&given, day(world), Detail::Basic).unwrap();
    let outline = |evaluation: &Evaluation, finding: &Finding| {
        let reasons: Vec<Vec<Cause>> = evaluation.reasons(finding).map(<[Cause]>::to_vec).collect();
        (finding.red_line, finding.status, finding.firmness, reasons)
    };
    let is_in_basic_view = |finding: &&Finding| matches!(finding.status, Status::Crossed | Status::Undetermined);
    let expected: Vec<_> =
        full.findings.iter().filter(is_in_basic_view).map(|finding| outline(&full, finding)).collect();
    let found: Vec<_> = basic.findings.iter().map(|finding| outline(&basic, finding)).collect();
    assert_eq!(found, expected);
    assert_eq!((basic.verdict, basic.could_become, &basic.stances), (full.verdict, full.could_become, &full.stances));
}
