//! The stances of parties and the verdict on a proposal, derived from findings by fixed rules without weights.
//!
//! Must not know of conditions or days.

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
    /// A tentative red line of the party is crossed.
    MayResist,
    /// A negotiable red line of the party is crossed.
    Resists,
    /// An absolute or firm red line of the party is crossed.
    Rejects,
}

impl Stance {
    /// Returns the stance of a party with one crossed red line of this firmness.
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
    /// At least one third party rejects the proposal: a deal that leans on it fails in delivery.
    Undeliverable,
    /// At least one principal rejects the proposal.
    Blocked,
}

impl Verdict {
    /// Returns the verdict that one party's stance leads to.
    ///
    /// The verdict on a proposal is the greatest over all parties.
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
