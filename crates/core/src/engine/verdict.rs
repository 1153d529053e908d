//! The stances of parties and the verdict on a proposal, derived from findings by fixed rules without weights.
//!
//! A finding says whether a red line is crossed (with the firmness that the crossing has after waivers), clear, or
//! undetermined, which means that answers that are still open decide whether it is crossed. Must not know of conditions
//! or days.

use crate::scenario::model::{Firmness, Role};

/// The stance of a party on a proposal, derived from its red lines.
///
/// Ordered by severity; `Rejects` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    /// No red line of the party is crossed or undetermined. That is not consent.
    NoStatedObjection,
    /// A red line of the party is undetermined, and none is crossed.
    Undecided,
    /// A red line of the party is crossed, and the crossing counts as tentative.
    MayResist,
    /// A red line of the party is crossed, and the crossing counts as negotiable.
    Resists,
    /// A red line of the party is crossed, and the crossing counts as absolute or firm.
    Rejects,
}

impl Stance {
    /// Returns the stance of a party with one crossed red line, if the crossing counts with this firmness.
    pub fn of_crossing(firmness: Firmness) -> Self {
        match firmness {
            Firmness::Absolute | Firmness::Firm => Stance::Rejects,
            Firmness::Negotiable => Stance::Resists,
            Firmness::Tentative => Stance::MayResist,
        }
    }
}

/// The verdict on a proposal, derived from the stances of all parties.
///
/// Ordered by severity; `Blocked` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No recorded red line of any party is crossed or undetermined. That is not consent.
    Unopposed,
    /// At least one party may resist or is undecided.
    Undetermined,
    /// At least one party resists.
    Contested,
    /// At least one third party rejects the proposal: a deal that depends on that party fails in delivery.
    Undeliverable,
    /// At least one principal rejects the proposal.
    Blocked,
}

impl Verdict {
    /// Returns the verdict that one party's stance leads to.
    ///
    /// The verdict on a proposal is the greatest of these verdicts over all parties.
    pub(super) fn of_stance(stance: Stance, role: Role) -> Self {
        match (stance, role) {
            (Stance::Rejects, Role::Principal) => Verdict::Blocked,
            (Stance::Rejects, Role::ThirdParty) => Verdict::Undeliverable,
            (Stance::Resists, _) => Verdict::Contested,
            (Stance::MayResist | Stance::Undecided, _) => Verdict::Undetermined,
            (Stance::NoStatedObjection, _) => Verdict::Unopposed,
        }
    }
}
