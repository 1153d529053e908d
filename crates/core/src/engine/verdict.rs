//! Stances of parties and the verdict on a proposal: what follows from findings, by fixed rules and without weights.

use crate::scenario::model::{Firmness, Role};

/// What a party's red lines say of a proposal. The order is that of severity: `Rejects` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    /// No red line of the party is crossed or open. Not consent.
    NoStatedObjection,
    /// Something is undetermined.
    Undecided,
    /// A tentative line is crossed.
    MayResist,
    /// A negotiable line is crossed.
    Resists,
    /// An absolute or firm line is crossed.
    Rejects,
}

impl Stance {
    /// The stance that one crossed line of this firmness gives.
    pub fn of_crossing(firmness: Firmness) -> Self {
        match firmness {
            Firmness::Absolute | Firmness::Firm => Stance::Rejects,
            Firmness::Negotiable => Stance::Resists,
            Firmness::Tentative => Stance::MayResist,
        }
    }
}

/// What the stances together say of a proposal. The order is that of severity: `Blocked` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nobody's recorded red line is crossed or open. Not consent.
    Unopposed,
    /// Somebody may resist or is undecided.
    Undetermined,
    /// Somebody resists.
    Contested,
    /// A third party rejects: a deal that leans on it fails in delivery.
    Undeliverable,
    /// A principal rejects.
    Blocked,
}

impl Verdict {
    /// What one party's stance makes of a proposal; the verdict is the greatest of these.
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
