//! Every assignment of values to all issues, and what prevents it from passing: red lines that it crosses, constraints
//! that it breaks, or a goal or pins that it does not meet. Everything is found by the definitions alone.

use super::case::Case;
use super::world::{Kind, Knowledge, Value};
use detente_analysis::{CountedLineIndex, Obstacle};
use detente_condition::{Answer, InputIndex, Space};
use detente_core::scenario::index::ConstraintIndex;
use std::collections::BTreeSet;

/// The result of an assignment, for all combinations of values of the unknown circumstances.
#[derive(Clone, Debug)]
pub struct Met {
    /// For each combination of values of the circumstances, the counted red lines that are crossed with a firmness of
    /// at least the floor, as a bit mask.
    pub crossed: Vec<u32>,
    /// The constraints that are broken for some values of the circumstances, as a bit mask. The bit after those of the
    /// constraints is set if the goal is not met for some values.
    pub broken: u32,
    /// Whether the assignment has all terms that the question pins.
    pub pinned: bool,
}

impl Met {
    /// Whether the constraints, the goal and the pins are met for all values of the circumstances.
    pub fn is_admissible(&self) -> bool {
        self.pinned && self.broken == 0
    }

    /// The counted red lines that are crossed for some values of the circumstances, as a bit mask.
    pub fn crossed_somehow(&self) -> u32 {
        self.crossed.iter().fold(0, |all, some| all | some)
    }

    pub fn passes(&self) -> bool {
        self.is_admissible() && self.crossed_somehow() == 0
    }
}

/// All assignments of values to the issues of a case.
pub struct Search<'a> {
    pub case: &'a Case,
    pub domains: Vec<Vec<Value>>,
    /// Assignments are numbered. For each issue, this is the difference between the numbers of two assignments that are
    /// equal except that the issue has neighbouring values of its domain.
    pub strides: Vec<usize>,
    /// The result of each assignment, by its number.
    pub met: Vec<Met>,
}

impl<'a> Search<'a> {
    pub fn new(case: &'a Case) -> Self {
        let world = &case.world;
        let domains: Vec<Vec<Value>> =
            world.inputs.iter().filter(|input| input.is_issue).map(super::world::Input::domain).collect();
        let mut strides = vec![1; domains.len()];
        for at in (1..domains.len()).rev() {
            strides[at - 1] = strides[at] * domains[at].len();
        }
        let count: usize = domains.iter().map(Vec::len).product();
        // Issues come before circumstances, so in each completion, the values that follow those of the issues are a
        // setting of the circumstances.
        let mut first = case.known(&vec![None; world.inputs.len()]);
        for (known, domain) in first.iter_mut().zip(&domains) {
            *known = Knowledge::Exactly(domain[0]);
        }
        let settings = world.completions(&first);
        let lines = case.counted();
        let mut search = Self { case, domains, strides, met: Vec::with_capacity(count) };
        for assignment in 0..count {
            let issues = search.values(assignment);
            let mut met = Met { crossed: Vec::new(), broken: 0, pinned: true };
            met.pinned = case.pins.iter().all(|(input, known)| known.admits(issues[*input]));
            for setting in &settings {
                let values: Vec<Value> = issues.iter().chain(&setting[issues.len()..]).copied().collect();
                let crossed = lines.iter().enumerate().filter(|(_, (_, line))| case.is_crossed(line, &values));
                met.crossed.push(crossed.fold(0, |mask, (at, _)| mask | 1 << at));
                for (at, constraint) in world.constraints.iter().enumerate() {
                    met.broken |= u32::from(constraint.holds(world, &values)) << at;
                }
                let missed = case.goal.as_ref().is_some_and(|goal| !goal.holds(world, &values));
                met.broken |= u32::from(missed) << world.constraints.len();
            }
            search.met.push(met);
        }
        search
    }

    /// The values of an assignment, by issue.
    pub fn values(&self, assignment: usize) -> Vec<Value> {
        let each = self.domains.iter().zip(&self.strides);
        each.map(|(domain, stride)| domain[assignment / stride % domain.len()]).collect()
    }

    pub fn passing(&self) -> impl Iterator<Item = usize> {
        (0..self.met.len()).filter(|assignment| self.met[*assignment].passes())
    }

    /// The numbers of the assignments that are possible with this knowledge about the issues.
    pub fn within(&self, known: &[Knowledge]) -> Vec<usize> {
        let mut within = vec![0];
        for ((domain, stride), known) in self.domains.iter().zip(&self.strides).zip(known) {
            let places = domain.iter().enumerate().filter(|(_, value)| known.admits(**value));
            let places: Vec<usize> = places.map(|(place, _)| place * stride).collect();
            within = within.into_iter().flat_map(|so_far| places.iter().map(move |place| so_far + place)).collect();
        }
        within
    }

    /// The obstacles that prevent some assignment that is possible with this knowledge from passing, in the order of
    /// [`Obstacle`].
    pub fn runs_into(&self, known: &[Knowledge]) -> Vec<Obstacle> {
        let met: Vec<&Met> = self.within(known).into_iter().map(|assignment| &self.met[assignment]).collect();
        let crossed = met.iter().fold(0, |all, met| all | met.crossed_somehow());
        let broken = met.iter().fold(0, |all, met| all | met.broken);
        let constraints = self.case.world.constraints.len();
        let lines = (0..32).filter(|at| crossed >> at & 1 == 1).map(|at| Obstacle::Line(CountedLineIndex(at)));
        let hard =
            (0..constraints).filter(|at| broken >> at & 1 == 1).map(|at| Obstacle::Constraint(ConstraintIndex(at)));
        let goal = (broken >> constraints & 1 == 1).then_some(Obstacle::Goal);
        let pins = met.iter().any(|met| !met.pinned).then_some(Obstacle::Pins);
        lines.chain(hard).chain(goal).chain(pins).collect()
    }

    /// The values that an assignment gives to some issues, as positions on the axes of the issues. All numbers of an
    /// interval have the same position.
    pub fn cell(&self, space: &Space, issues: &[InputIndex], assignment: usize) -> Vec<usize> {
        let values = self.values(assignment);
        issues.iter().map(|issue| place(space, issue.index(), values[issue.index()])).collect()
    }

    /// Fails if a condition or a pin distinguishes between two neighbouring numbers of the same interval of a quantity.
    pub fn check_intervals(&self, space: &Space) {
        let world = &self.case.world;
        let held = self.case.held();
        let everything = world.completions(&vec![Knowledge::Nothing; world.inputs.len()]);
        for input in world.inputs.iter().filter(|input| matches!(input.kind, Kind::Quantity(..))) {
            for values in &everything {
                let Value::Quantity(number) = values[input.index] else { unreachable!("a quantity has a number") };
                let next = Value::Quantity(number + 1);
                let alike = place(space, input.index, values[input.index]) == place(space, input.index, next);
                if !input.domain().contains(&next) || !alike {
                    continue;
                }
                let mut neighbour = values.clone();
                neighbour[input.index] = next;
                let conditions = held.iter().map(|(_, line)| &line.condition).chain(&world.constraints);
                let waivers = held.iter().flat_map(|(_, line)| line.waivers.iter().map(|waiver| &waiver.when));
                for condition in conditions.chain(waivers).chain(&self.case.goal) {
                    let truths = [values, &neighbour].map(|values| condition.holds(world, values));
                    assert_eq!(truths[0], truths[1], "{values:?} and {neighbour:?} in {condition:?}");
                }
                for (_, known) in self.case.pins.iter().filter(|(pinned, _)| *pinned == input.index) {
                    assert_eq!(known.admits(values[input.index]), known.admits(next), "{known:?} at {number}");
                }
            }
        }
    }
}

/// The position of a value on the axis of its input. For a number, it is the position of its interval; for a set of
/// members, it is its bit mask.
pub fn place(space: &Space, input: usize, value: Value) -> usize {
    match value {
        Value::Flag(flag) => usize::from(flag),
        Value::Choice(option) => option as usize,
        Value::Members(members) => members as usize,
        Value::Quantity(number) => {
            let axis = space.axis(super::case::id(input)).unwrap();
            (0..).find(|at| axis.interval(*at).is_none_or(|(low, high)| (low..=high).contains(&number))).unwrap()
        }
    }
}

/// The position of an answer on the axis of its input. The answer must be one value, or all numbers of one interval.
pub fn place_of_answer(space: &Space, input: InputIndex, answer: &Answer) -> usize {
    match Knowledge::from(*answer) {
        Knowledge::Exactly(value) => {
            let at = place(space, input.index(), value);
            if let Value::Quantity(number) = value {
                assert_eq!(
                    space.axis(input).unwrap().interval(at),
                    Some((number, number)),
                    "an exact number must be an interval of its own"
                );
            }
            at
        }
        Knowledge::Between(low, high) => {
            let at = place(space, input.index(), Value::Quantity(low));
            assert_eq!(space.axis(input).unwrap().interval(at), Some((low, high)), "the range must be an interval");
            at
        }
        other => panic!("{other:?} is neither a value nor an interval"),
    }
}

/// The minimal sets of a family, as bit masks. With each set, the family must also contain every superset of it.
pub fn minimal(family: &BTreeSet<u32>) -> Vec<u32> {
    let less = |set: u32| members(set).into_iter().map(move |at| set & !(1 << at));
    family.iter().copied().filter(|set| !less(*set).any(|part| family.contains(&part))).collect()
}

/// The members of a set that is given as a bit mask: the positions of the bits that are set.
pub fn members(set: u32) -> Vec<usize> {
    (0..32).filter(|at| set >> at & 1 == 1).collect()
}
