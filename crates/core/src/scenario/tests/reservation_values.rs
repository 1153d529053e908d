//! Tests of the reservation value of a party, which is its utility without a deal.
//!
//! The tests edit the good file, `GOOD`, which has no faults.

use super::{GOOD, edited, faults};
use crate::scenario::{diff, load};

const PARTY: &str = "name: Upstream, role: principal, description: D}";

/// Returns the good file in which the first party has a reservation value, written as `number`.
fn with(number: &str) -> String {
    edited(PARTY, &format!("name: Upstream, role: principal, description: D, reservation_value: {number}}}"))
}

#[test]
fn any_finite_number_is_kept() {
    for (written, number) in [("0", 0.0), ("-0", 0.0), ("0.25", 0.25), ("-12.5", -12.5), ("1000000", 1e6)] {
        let scenario = load("water.yaml", &with(written)).unwrap();
        let kept: Vec<Option<u64>> =
            scenario.parties.iter().map(|party| party.reservation_value.map(f64::to_bits)).collect();
        assert_eq!(kept, [Some(f64::to_bits(number)), None], "{written}");
    }
}

#[test]
fn values_that_are_not_finite_numbers_are_rejected() {
    let huge = "9".repeat(400);
    for (written, found) in [
        (".inf", "the text `.inf`"),
        (".nan", "the text `.nan`"),
        ("nan", "the text `nan`"),
        ("1e3", "the text `1e3`"),
        ("'0.5'", "the text `0.5`"),
        ("true", "true or false"),
        ("", "nothing"),
        ("[0.5]", "a list"),
        (&huge, "a number of more than 64 bits"),
    ] {
        let expected = format!("9:81: expected a number like 0.5, found {found}");
        let found = faults(&with(written));
        assert!(found.len() == 1 && found[0].ends_with(expected.split_once(' ').unwrap().1), "{written}: {found:?}");
        assert!(found[0].starts_with("9:"), "{found:?}");
    }
}

#[test]
fn a_reservation_value_changes_the_revision_only_if_present() {
    let revision = |text: &str| load("water.yaml", text).unwrap().revision.to_string();
    // The revision of this file before the format had reservation values.
    assert_eq!(revision(GOOD), "5266708747e038dc7f7ab0f69584f3b2");
    let all = [revision(GOOD), revision(&with("0")), revision(&with("0.5")), revision(&with("-0.5"))];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{all:?}");
    }
    assert_eq!(revision(&with("0")), revision(&with("-0")));
    assert_eq!(revision(&with("0.5")), revision(&with("0.50")));
}

#[test]
fn a_changed_reservation_value_is_reported() {
    let (before, after) = (load("water.yaml", &with("0.5")).unwrap(), load("water.yaml", &with("2")).unwrap());
    let plain = load("water.yaml", GOOD).unwrap();
    for (before, after, expected) in
        [(&before, &after, ("0.5", "2")), (&plain, &after, ("", "2")), (&after, &plain, ("2", ""))]
    {
        let changes = diff::diff(before, after);
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(change.place.field, Some("reservation_value"));
        assert_eq!(change.what, diff::What::Word { before: expected.0.to_owned(), after: expected.1.to_owned() });
    }
}
