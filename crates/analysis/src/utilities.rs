//! The preferences of parties as criteria for comparing packages: sums and ranks.
//!
//! Owns the exact utilities, as integers on a common decimal scale. A party whose preferences are numbers has one
//! criterion, their sum. Each order of options that a party states is a criterion of its own, the rank of the answer.
//! More is better in all criteria. Must not know of packages or diagrams.

use super::decimal::{Decimal, to_f64};
use super::index::CriterionIndex;
use detente_condition::{Answer, InputIndex, Space, Value};
use detente_core::scenario::Scenario;
use detente_core::scenario::index::{IndexVec, PartyIndex};
use detente_core::scenario::model::Ranking;
use std::collections::HashMap;
use thiserror::Error;

/// The numbers of the preferences cannot be added exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the numbers in the preferences differ too much in size, or have too many digits, to be added exactly")]
pub struct NotExactError;

/// A criterion by which packages are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Criterion {
    /// The sum of the numbers that a party assigns to the answers of a package.
    Sum {
        /// The party.
        party: PartyIndex,
    },
    /// The rank of the answer in a party's order of an issue's options: 0 for the best, then -1, -2, and so on.
    Rank {
        /// The party.
        party: PartyIndex,
        /// The issue.
        input: InputIndex,
    },
}

/// All preferences of a scenario on one scale.
#[derive(Clone, Debug)]
pub(super) struct Utilities {
    pub(super) criteria: IndexVec<CriterionIndex, Criterion>,
    /// For each value of an input: the amounts that it adds, each with its criterion.
    adds: HashMap<(InputIndex, usize), Vec<(CriterionIndex, i128)>>,
    /// The utility that each party with numeric preferences has without a deal, in the order of the criteria.
    pub(super) disagreement: Vec<i128>,
    /// The number of decimal places of all amounts.
    scale: usize,
}

impl Utilities {
    /// Converts the preferences of a scenario, with values numbered as on the axes of `space`.
    ///
    /// `disagreement` lists the utility that each party has without a deal; a party that is not listed has 0.
    ///
    /// # Errors
    /// Returns [`NotExactError`] if a number has too many digits for the common scale.
    pub(super) fn new(
        scenario: &Scenario,
        space: &Space,
        disagreement: &[(PartyIndex, f64)],
    ) -> Result<Self, NotExactError> {
        let mut decimals: Vec<Decimal> = Vec::new();
        for preference in &scenario.preferences {
            if let Ranking::Cardinal(values) = &preference.ranking {
                let read = values.iter().map(|(_, number)| Decimal::shortest(*number).ok_or(NotExactError));
                decimals.extend(read.collect::<Result<Vec<_>, _>>()?);
            }
        }
        let stated: Vec<(PartyIndex, Decimal)> = disagreement
            .iter()
            .map(|(party, number)| Some((*party, Decimal::shortest(*number)?)))
            .collect::<Option<_>>()
            .ok_or(NotExactError)?;
        let all = decimals.iter().chain(stated.iter().map(|(_, number)| number));
        let scale = all.map(Decimal::places).max().unwrap_or(0);
        let mut utilities =
            Self { criteria: IndexVec::default(), adds: HashMap::new(), disagreement: Vec::new(), scale };
        utilities.add_sums(scenario, space)?;
        for criterion in &utilities.criteria {
            let Criterion::Sum { party } = criterion else { continue };
            let number = stated.iter().find(|(of, _)| of == party).map(|(_, number)| number.scaled(scale));
            utilities.disagreement.push(number.unwrap_or(Some(0)).ok_or(NotExactError)?);
        }
        utilities.add_ranks(scenario, space);
        Ok(utilities)
    }

    fn add_sums(&mut self, scenario: &Scenario, space: &Space) -> Result<(), NotExactError> {
        for party in scenario.parties.indices() {
            let of_party = scenario.preferences.iter().filter(|preference| preference.party == party);
            let criterion = CriterionIndex(self.criteria.len());
            let mut any = false;
            for preference in of_party {
                let Ranking::Cardinal(values) = &preference.ranking else { continue };
                any = true;
                let mut seen = Vec::new();
                for (value, number) in values {
                    let Some(at) = index_of(space, preference.issue, *value) else { continue };
                    // Quantities in the same interval have the same number: count it once.
                    if seen.contains(&at) {
                        continue;
                    }
                    seen.push(at);
                    let amount =
                        Decimal::shortest(*number).and_then(|number| number.scaled(self.scale)).ok_or(NotExactError)?;
                    self.adds.entry((preference.issue, at)).or_default().push((criterion, amount));
                }
            }
            if any {
                self.criteria.push(Criterion::Sum { party });
            }
        }
        Ok(())
    }

    fn add_ranks(&mut self, scenario: &Scenario, space: &Space) {
        for preference in &scenario.preferences {
            let Ranking::Ordinal(order) = &preference.ranking else { continue };
            let criterion = CriterionIndex(self.criteria.len());
            self.criteria.push(Criterion::Rank { party: preference.party, input: preference.issue });
            for (rank, value) in (0i128..).zip(order) {
                if let Some(at) = index_of(space, preference.issue, *value) {
                    self.adds.entry((preference.issue, at)).or_default().push((criterion, -rank));
                }
            }
        }
    }

    /// Returns the amounts that a value of an input adds, each with its criterion.
    pub(super) fn added(&self, input: InputIndex, value: usize) -> &[(CriterionIndex, i128)] {
        self.adds.get(&(input, value)).map_or(&[], |adds| adds)
    }

    /// Converts a sum on the common scale to an `f64`.
    pub(super) fn number(&self, scaled: i128) -> f64 {
        to_f64(scaled, self.scale)
    }

    /// Iterates over the positions of the parties with numeric preferences.
    pub(super) fn parties_with_numbers(&self) -> impl Iterator<Item = PartyIndex> {
        self.criteria.iter().filter_map(|criterion| match criterion {
            Criterion::Sum { party } => Some(*party),
            Criterion::Rank { .. } => None,
        })
    }
}

/// Returns the index of a value on its axis.
fn index_of(space: &Space, input: InputIndex, value: Value) -> Option<usize> {
    let possible = space.axis(input)?.possible(&Answer::Exact(value));
    (possible.count_ones() == 1).then(|| possible.trailing_zeros() as usize)
}

/// Returns, for each quantity, the values at which the numbers of a preference change.
pub(super) fn cuts(scenario: &Scenario) -> Vec<(InputIndex, i64)> {
    let mut cuts = Vec::new();
    for preference in &scenario.preferences {
        let Ranking::Cardinal(values) = &preference.ranking else { continue };
        let mut numbers: Vec<(i64, f64)> = values
            .iter()
            .filter_map(|(value, number)| match value {
                Value::Quantity(quantity) => Some((*quantity, *number)),
                _ => None,
            })
            .collect();
        numbers.sort_by_key(|(quantity, _)| *quantity);
        for pair in numbers.windows(2) {
            if let [(_, before), (quantity, after)] = pair
                && before != after
            {
                cuts.push((preference.issue, *quantity));
            }
        }
    }
    cuts
}
