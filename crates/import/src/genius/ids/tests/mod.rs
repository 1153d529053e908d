//! Tests of the form and the uniqueness of ids.

use super::Ids;
use detente_core::scenario::limits::MAX_ID;
use detente_core::scenario::{is_word_of_answers, is_word_of_the_language};

fn issues(names: &[&str]) -> Vec<String> {
    let mut ids = Ids::new("issue", '_', is_word_of_the_language);
    names.iter().map(|name| ids.assign(name)).collect()
}

#[test]
fn ids_consist_of_the_letters_and_digits_of_names() {
    let names = ["Size of Fund", "  CD-player!", "60 Gb", "import", "Ö?", "", "naïve"];
    assert_eq!(
        issues(&names),
        ["size_of_fund", "cd_player", "issue_60_gb", "issue_import", "issue", "issue_2", "na_ve"]
    );
    let mut options = Ids::new("option", '_', is_word_of_answers);
    assert_eq!(["true", "import", "$50"].map(|name| options.assign(name)), ["option_true", "import", "option_50"]);
    let mut sources = Ids::new("source", '-', |_| false);
    assert_eq!(["adg_deal.xml", "2"].map(|name| sources.assign(name)), ["adg-deal-xml", "source-2"]);
}

#[test]
fn names_with_equal_ids_are_numbered_in_their_order() {
    assert_eq!(issues(&["a b", "a  b", "A/B", "a_b_2"]), ["a_b", "a_b_2", "a_b_3", "a_b_2_2"]);
    assert_eq!(issues(&["a_b_2", "a b", "a b"]), ["a_b_2", "a_b", "a_b_3"]);
}

#[test]
fn ids_do_not_exceed_the_maximum_length() {
    let long = "x".repeat(200);
    let found = issues(&[&long, &long, &format!("{} y", "x".repeat(MAX_ID - 1))]);
    assert_eq!(found, ["x".repeat(63), format!("{}_2", "x".repeat(61)), "x".repeat(62)]);
    assert!(found.iter().all(|id| id.len() <= MAX_ID));
}
