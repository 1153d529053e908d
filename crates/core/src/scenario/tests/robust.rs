use crate::cases;
use crate::scenario::{load, load_answers, load_proposal};
use proptest::prelude::*;

const BUNDLED: &str = include_str!("../../../../../scenarios/ukraine-2025.yaml");
const CASES: &str = include_str!("../../../../../scenarios/ukraine-2025_test.yaml");

#[test]
fn the_bundled_scenario_loads() {
    let scenario = load("ukraine-2025.yaml", BUNDLED).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((scenario.red_lines.len(), scenario.proposals.len()), (24, 11));
    assert!(scenario.red_lines.iter().all(|red_line| !red_line.evidence.is_empty()));
}

fn never_panics(text: &str) {
    let _ = load("any.yaml", text).map_err(|faults| faults.render(true));
    let _ = cases::load_cases("any.yaml", text).map_err(|faults| faults.render(false));
    let _ = load_proposal("any.yaml", text, &[]);
    let _ = load_answers("any", text, &[], 0);
}

#[test]
fn odd_files_are_refused_and_nothing_worse() {
    for text in [
        "",
        " ",
        "\u{feff}",
        "\0",
        "- ",
        "? ",
        ": :",
        "a: &x 1\nb: *x",
        "!!python/object:os.system x",
        "---\na\n---\nb",
        "%YAML 9.9\n---\n",
        "{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
        "scenario: \"\\ud800\"",
        "\t\tx",
        "scenario: |\n  a\n b",
        "a: >\n\n\n",
    ] {
        never_panics(text);
        assert!(load("any.yaml", text).is_err(), "{text:?}");
    }
    never_panics(&"[".repeat(100_000));
    never_panics(&"{a: ".repeat(100_000));
    never_panics(&"- ".repeat(100_000));
    never_panics(&BUNDLED.replace('\n', "\r\n"));
    assert!(load("any.yaml", &BUNDLED.replace('\n', "\r\n")).is_ok(), "line ends of another system are no fault");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        never_panics(&text);
    }

    #[test]
    fn no_mutation_panics(at in 0usize..40_000, length in 0usize..12, with in "[ -~\\n]{0,6}", of_cases in any::<bool>()) {
        let text = if of_cases { CASES } else { BUNDLED };
        let start = (0..=at % text.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let end = (start..=(start + length).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let mut mutated = text.to_owned();
        mutated.replace_range(start..end, &with);
        never_panics(&mutated);
    }
}
