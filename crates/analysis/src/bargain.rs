//! Bargaining solutions among the efficient points, with a disagreement point that the request states.
//!
//! A package is a possible deal. An efficient point is a combination of utilities that no other package improves for
//! one party without a loss for another. The disagreement point is each party's utility without a deal, and a gain is
//! what a deal adds to it. Owns the Nash and the Kalai-Smorodinsky solution over a finite set of points. Must not know
//! of packages.

use super::index::PointIndex;
use super::utilities::Utilities;
use detente_core::scenario::index::IndexVec;
use num_bigint::BigInt;

/// The bargaining solutions among efficient points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SolutionIndices {
    /// The points with the greatest product of gains (Nash 1950, "The bargaining problem").
    pub(super) nash: Vec<PointIndex>,
    /// The points at which the smallest of the parties' shares is as great as possible.
    ///
    /// A share is a party's gain divided by the greatest gain that it could have (Kalai and Smorodinsky 1975, "Other
    /// solutions to Nash's bargaining problem", on a finite set).
    pub(super) kalai_smorodinsky: Vec<PointIndex>,
    /// For each party with numeric preferences, its greatest utility at the points where no party is worse off than
    /// without a deal.
    ///
    /// It is an integer on the scale of the [`Utilities`].
    pub(super) ideal: Vec<i128>,
}

/// Finds the bargaining solutions among points.
///
/// There are none if no point gives every party at least its utility without a deal.
pub(super) fn solutions(utilities: &Utilities, points: &IndexVec<PointIndex, &[i128]>) -> SolutionIndices {
    let parties = utilities.disagreement.len();
    let gains = |point: &[i128]| -> Option<Vec<i128>> {
        let gains = point.iter().take(parties).zip(&utilities.disagreement).map(|(amount, without)| amount - without);
        gains.map(|gain| (gain >= 0).then_some(gain)).collect()
    };
    let rational: Vec<(PointIndex, Vec<i128>)> =
        points.indexed().filter_map(|(at, point)| Some((at, gains(point)?))).collect();
    if rational.is_empty() || parties == 0 {
        return SolutionIndices::default();
    }
    let most: Vec<i128> = (0..parties)
        .map(|party| rational.iter().filter_map(|(_, gains)| gains.get(party)).copied().max().unwrap_or(0))
        .collect();
    let product = |gains: &[i128]| gains.iter().map(|gain| BigInt::from(*gain)).product::<BigInt>();
    let mut bargain = SolutionIndices {
        ideal: most.iter().zip(&utilities.disagreement).map(|(gain, without)| gain + without).collect(),
        ..SolutionIndices::default()
    };
    let mut best: Option<BigInt> = None;
    for (at, gains) in &rational {
        let product = product(gains);
        if best.as_ref().is_none_or(|best| product > *best) {
            (best, bargain.nash) = (Some(product), vec![*at]);
        } else if best.as_ref() == Some(&product) {
            bargain.nash.push(*at);
        }
    }
    if best.is_some_and(|best| best == BigInt::ZERO) {
        // At every point some party gains nothing, so the product does not distinguish the points.
        bargain.nash.clear();
    }
    let mut best: Option<(i128, i128)> = None;
    for (at, gains) in &rational {
        let share = least_share(gains, &most);
        match best.map(|best| compare(share, best)) {
            None | Some(std::cmp::Ordering::Greater) => {
                (best, bargain.kalai_smorodinsky) = (Some(share), vec![*at]);
            }
            Some(std::cmp::Ordering::Equal) => bargain.kalai_smorodinsky.push(*at),
            Some(std::cmp::Ordering::Less) => {}
        }
    }
    bargain
}

/// Returns the smallest of the parties' shares, as a fraction; ignores parties that cannot gain anything.
fn least_share(gains: &[i128], most: &[i128]) -> (i128, i128) {
    let shares = gains.iter().zip(most).filter(|(_, most)| **most > 0).map(|(gain, most)| (*gain, *most));
    shares.min_by(|one, other| compare(*one, *other)).unwrap_or((1, 1))
}

/// Compares two fractions; their denominators must be positive.
fn compare(one: (i128, i128), other: (i128, i128)) -> std::cmp::Ordering {
    (BigInt::from(one.0) * other.1).cmp(&(BigInt::from(other.0) * one.1))
}
