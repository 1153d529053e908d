//! Tests of the condition language: what is read, what is rejected, and with which messages and positions.

use super::vocabulary;
use crate::{MAX_CONDITION_BYTES, MAX_CONDITION_NESTING, read};

/// Returns the faults of a condition, each as `offset: message`.
fn faults(text: &str) -> Vec<String> {
    let faults = read(text, &vocabulary()).expect_err(text);
    faults.into_iter().map(|fault| format!("{}: {}", fault.at, fault.kind)).collect()
}

fn reads(text: &str) {
    if let Err(faults) = read(text, &vocabulary()) {
        panic!("{text}: {faults:?}");
    }
}

#[test]
fn every_form_of_the_language_is_read() {
    for text in [
        r#"scope == "all" && !backed || days > 30"#,
        r#"scope in ["air", "all"]"#,
        r#""uk" in force"#,
        "size(force) >= 2",
        "force.size() == 1",
        "force.exists(m, m in nato)",
        r#"force.all(m, m == "china")"#,
        r#"["uk", "france"].exists_one(m, m in force)"#,
        "nato.exists(m, m in force)",
        "[7, 14].exists(d, days == d)",
        "backed ? days > 3 : days > 5",
        "backed == false",
        "30 <= days",
        "days in [7, 14]",
        "-5 == 1 || backed",
    ] {
        reads(text);
    }
}

#[test]
fn every_fault_is_reported_with_its_position_and_the_nearest_name() {
    assert_eq!(
        faults(r#"scop == "all" && scope == "al" && "franse" in force"#),
        [
            "0: there is no issue, circumstance or group `scop`; did you mean `scope`?",
            "26: `scope` has no option `al`; did you mean `all`?",
            "34: `force` has no member `franse`; did you mean `france`?",
        ]
    );
}

#[test]
fn positions_count_bytes_after_multi_byte_characters() {
    assert_eq!(
        faults(r#"scope == "é" && dayz > 3"#),
        ["9: `scope` has no option `é`", "17: there is no issue, circumstance or group `dayz`; did you mean `days`?",]
    );
}

#[test]
fn an_unknown_member_is_a_fault_in_a_list_but_not_in_a_group() {
    reads("nato.all(m, m in force)");
    assert_eq!(
        faults(r#"["uk", "chiina"].all(m, m in force)"#).first().map(String::as_str),
        Some("24: `force` has no member `chiina`; did you mean `china`?")
    );
}

#[test]
fn an_unknown_string_inside_a_macro_is_a_fault() {
    reads(r#"force.exists(m, m == "china" || m in ["uk", "france"])"#);
    for text in [
        r#"force.exists(m, m == "frnace")"#,
        r#"force.exists(m, m in ["uk", "frnace"])"#,
        r#"nato.exists(m, m != "frnace")"#,
    ] {
        let messages = faults(text);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].ends_with("an option or member `frnace`; did you mean `france`?"), "{messages:?}");
    }
    for text in [r#"backed || "uk" in nato"#, r#"backed || "uk" == "france""#, "days in [5, 101]"] {
        assert_eq!(faults(text).len(), 1, "{text}");
    }
}

#[test]
fn repeated_subformulas_count_towards_the_size() {
    let nested = (0..24).fold("backed".to_owned(), |inner, _| format!("({inner} ? days > 3 : days > 5)"));
    assert!(faults(&nested)[0].ends_with("after macro expansion"));
    let quantifiers = (0..11).fold("backed".to_owned(), |inner, at| format!("[1, 2].exists_one(v{at}, {inner})"));
    assert!(faults(&quantifiers)[0].ends_with("after macro expansion"));
}

#[test]
fn ill_typed_conditions_are_rejected() {
    for text in [
        "scope",
        "days",
        "force",
        "scope == days",
        "scope == 3",
        "days == \"all\"",
        "force == [\"uk\"]",
        "backed > 3",
        "scope < \"all\"",
        "backed in [true]",
        "days in [\"a\"]",
        "scope in [3]",
        "size(days) == 1",
        "days.exists(m, true)",
        "force.exists(3, true)",
        "backed == backed",
        "\"uk\" in scope",
        "backed ? 1 : 2",
        "!days",
        "-backed",
    ] {
        assert!(!faults(text).is_empty(), "{text}");
    }
}

#[test]
fn expressions_outside_the_language_are_rejected() {
    for text in [
        "days + 1 == 2",
        "scope.startsWith(\"a\")",
        "force[0] == \"uk\"",
        "{\"a\": 1}.a == 1",
        "force.map(m, m) == []",
        "has(scope.x)",
        "days == 1.5",
        "days == 1u",
        "scope == b\"all\"",
        "scope == null",
        "matches(scope, \"a\")",
        "[1, 2] == [1, 2]",
    ] {
        assert!(!faults(text).is_empty(), "{text}");
    }
}

#[test]
fn comparisons_with_a_constant_result_are_rejected() {
    assert_eq!(faults("days > 0"), ["5: this comparison is always true for values from 1 to 100"]);
    assert_eq!(faults("days == 101"), ["5: this comparison is never true for values from 1 to 100"]);
    assert_eq!(faults("size(force) > 4"), ["12: this comparison is never true for values from 0 to 4"]);
}

#[test]
fn a_syntax_error_is_reported_once() {
    for text in ["scope ==", "(scope == \"all\"", "scope = \"all\"", "", "&&", "\"open"] {
        assert_eq!(faults(text).len(), 1, "{text}");
    }
}

#[test]
fn length_is_bounded() {
    let padded = |bytes: usize| format!("backed{}", " ".repeat(bytes - "backed".len()));
    reads(&padded(MAX_CONDITION_BYTES));
    let long = padded(MAX_CONDITION_BYTES + 1);
    assert_eq!(
        faults(&long),
        [format!("0: the condition is {} bytes long; the limit is {MAX_CONDITION_BYTES} bytes", long.len())]
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}backed{}", "(".repeat(depth), ")".repeat(depth));
    reads(&nested(MAX_CONDITION_NESTING));
    let deep = format!("{MAX_CONDITION_NESTING}: the condition nests more than {MAX_CONDITION_NESTING} levels deep");
    assert_eq!(faults(&nested(MAX_CONDITION_NESTING + 1)), [deep]);
    reads(&format!("{}backed", "!".repeat(MAX_CONDITION_NESTING)));
    assert_eq!(faults(&format!("{}backed", "!".repeat(MAX_CONDITION_NESTING + 1))).len(), 1);
    let brackets_in_string = format!("scope == \"{}\"", "(".repeat(99));
    assert!(faults(&brackets_in_string)[0].contains("has no option"));
}

#[test]
fn macros_are_bounded() {
    let nested = |depth: usize| {
        (0..depth).fold("backed".to_owned(), |inner, at| format!("nato.all(m{at}, force.exists(f{at}, {inner}))"))
    };
    reads(&nested(3));
    let all = faults(&nested(8));
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].ends_with("after macro expansion"), "{all:?}");
}
