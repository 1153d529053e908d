//! Tests of the limits on nesting, chains of operators, lexical form, number of faults and work.

use super::{domains, vocabulary};
use crate::{
    Atom, ComplexityError, Decision, Domain, Formula, InputIndex, MAX_CONDITION_FAULTS, MAX_CONDITION_NESTING, Space,
    Vocabulary, WorkBudget, compile_for_call_within, read,
};
use std::sync::Arc;

const DEEPEST: usize = MAX_CONDITION_NESTING;

/// Returns the first fault as `offset: message`; `None` if the text is a valid condition.
fn fault(text: &str) -> Option<String> {
    let faults = read(text, &vocabulary()).err()?;
    faults.first().map(|fault| format!("{}: {}", fault.at, fault.kind))
}

fn is_limited(text: &str) -> bool {
    fault(text).is_some_and(|message| message.contains("more than 24"))
}

#[test]
fn each_way_to_nest_is_allowed_up_to_the_limit() {
    let around = |open: &str, inner: &str, close: &str, deep: usize| {
        format!("{}{inner}{}", open.repeat(deep), close.repeat(deep))
    };
    for (open, inner, close) in [
        ("(", "backed", ")"),
        ("[", "1", "]"),
        ("{1: ", "1", "}"),
        ("size(", "force", ")"),
        ("!(", "backed", ")"),
        ("backed ? backed : ", "backed", ""),
        ("backed ? ", "backed", " : backed"),
        ("[backed ? 1 : ", "2", ", 3]"),
    ] {
        assert!(!is_limited(&around(open, inner, close, DEEPEST)), "{open}");
        assert!(is_limited(&around(open, inner, close, DEEPEST + 1)), "{open}");
    }
    // An expression after a comma, or in a separate bracket, is not nested within a preceding `?:`.
    let side_by_side = ["(backed ? backed : backed)"; 2 * DEEPEST].join(" && ");
    assert_eq!(fault(&side_by_side), None);
    assert!(!is_limited(&format!("[{}]", ["backed ? 1 : 2"; 2 * DEEPEST].join(", "))));
}

#[test]
fn each_chain_is_allowed_up_to_the_limit() {
    for (first, link, operators) in [
        ("backed", ".a", 1),
        ("backed", "[0]", 1),
        ("backed", ".a()", 2),
        ("1", " + 1", 1),
        ("1", " - 1", 1),
        ("1", " * 1", 1),
        ("backed", " == backed", 1),
        ("force", " in force", 1),
        ("1", " < 1", 1),
    ] {
        let chain = |links: usize| format!("{first}{}", link.repeat(links));
        assert!(!is_limited(&chain(DEEPEST / operators)), "{link}");
        assert!(is_limited(&chain(DEEPEST / operators + 1)), "{link}");
    }
    for sign in ["!", "-"] {
        assert!(!is_limited(&format!("{}1", sign.repeat(DEEPEST))), "{sign}");
        assert!(is_limited(&format!("{}1", sign.repeat(DEEPEST + 1))), "{sign}");
    }
    assert_eq!(fault(&["days == 3"; 4 * DEEPEST].join(" || ")), None);
}

#[test]
fn brackets_in_strings_and_comments_do_not_nest() {
    let brackets = "(".repeat(DEEPEST + 1);
    for text in [
        format!("scope == \"all\" // {brackets}"),
        format!("// {brackets} ' \"\nscope == \"all\""),
        format!("backed || scope == \"{brackets}\""),
        format!("backed || scope == '\\'{brackets}'"),
        format!("backed || scope == r\"{brackets}\\\""),
        format!("backed || scope == R'''{brackets}'\\'''"),
        format!("backed || scope == \"\"\"{brackets}\n\" \"\"\""),
        format!("backed || scope == bR\"{brackets}\\\""),
    ] {
        assert!(!is_limited(&text), "{text}");
        assert!(!fault(&text).is_some_and(|message| message.contains("not valid CEL")), "{text}: {:?}", fault(&text));
    }
}

#[test]
fn brackets_after_strings_and_comments_nest() {
    let brackets = "(".repeat(DEEPEST + 1);
    for before in [
        r#"r"\" == "#,
        r"R'\' == ",
        r#"b"" == "#,
        r#"br"\" == "#,
        r#"BR"\" == "#,
        r#""\"" == "#,
        r#""""""" == "#,
        r#"""" " """ == "#,
        r#"""" \""" """ == "#,
        r"''' \' ''' == ",
        r#"r""" \""" == "#,
        "// '\n",
        "// \"\"\"\n",
        "'//' == ",
        "\"\\x41\\u0041\\U00000041\\101\" == ",
    ] {
        let text = format!("{before}{brackets}");
        let message = fault(&text);
        assert_eq!(
            message,
            Some(format!("{}: the condition nests more than 24 levels deep", text.len() - 1)),
            "{text}"
        );
    }
}

#[test]
fn lexical_errors_are_rejected_before_parsing() {
    for (text, message) in [
        ("backed @ 1", "7: the condition is not valid CEL: unexpected `@`"),
        ("days = 3", "5: the condition is not valid CEL: unexpected `=`; to compare, write `==`"),
        ("backed & backed", "7: the condition is not valid CEL: unexpected `&`; for \"and\", write `&&`"),
        ("backed | backed", "7: the condition is not valid CEL: unexpected `|`; for \"or\", write `||`"),
        ("scope.`a`", "6: the condition is not valid CEL: unexpected ```"),
        ("backéd", "4: the condition is not valid CEL: unexpected `é`"),
        ("scope == \"all", "9: the condition is not valid CEL: the string lacks its closing `\"`"),
        ("scope == 'a\nll'", "9: the condition is not valid CEL: the string lacks its closing `'`"),
        ("scope == '''all''", "9: the condition is not valid CEL: the string lacks its closing `'''`"),
        ("scope == r'", "10: the condition is not valid CEL: the string lacks its closing `'`"),
        (r#"scope == "\q""#, r"10: the condition is not valid CEL: `\` does not begin a valid escape sequence"),
        (r#"scope == "\x4""#, r"10: the condition is not valid CEL: `\` does not begin a valid escape sequence"),
        (r#"scope == "\400""#, r"10: the condition is not valid CEL: `\` does not begin a valid escape sequence"),
        ("(backed", "7: the condition is not valid CEL: missing `)` at the end"),
        ("backed)", "6: the condition is not valid CEL: unmatched `)`"),
        ("(backed]", "7: the condition is not valid CEL: unexpected `]`; expected `)`"),
    ] {
        assert_eq!(fault(text).as_deref(), Some(message), "{text}");
    }
}

#[test]
fn the_number_of_faults_reported_per_condition_is_bounded() {
    let unknown = |count: usize| (0..count).map(|at| format!("x{at}")).collect::<Vec<_>>().join(" && ");
    let reported = |count: usize| read(&unknown(count), &vocabulary()).unwrap_err().len();
    assert_eq!(reported(MAX_CONDITION_FAULTS), MAX_CONDITION_FAULTS);
    assert_eq!(reported(MAX_CONDITION_FAULTS + 1), MAX_CONDITION_FAULTS);
}

#[test]
fn all_suggestions_of_a_condition_share_one_bound() {
    let mut vocabulary = Vocabulary::default();
    for at in 0..200u16 {
        vocabulary.add_input(format!("{}{at:03}", "n".repeat(57)).into(), InputIndex(at), Domain::Flag);
    }
    let unknown = |count: usize| (0..count).map(|at| format!("{}{at:03}", "m".repeat(57))).collect::<Vec<_>>();
    let near = format!("{}1234", "n".repeat(57));
    let hinted = |mut names: Vec<String>| {
        names.push(near.clone());
        let faults = read(&names.join(" && "), &vocabulary).unwrap_err();
        faults.last().unwrap().kind.to_string().contains("did you mean")
    };
    assert!(hinted(Vec::new()));
    assert!(!hinted(unknown(10)));
}

fn compile(texts: &[&str], steps: u64) -> Result<u64, Vec<String>> {
    let domains: Vec<Domain> = domains().into_iter().map(|(_, domain)| domain).collect();
    let mut work = WorkBudget::new(WorkBudget::MAX_CUBES_OF_CALL, steps);
    match compile_for_call_within(texts, &vocabulary(), &domains, &mut work) {
        Ok(_) => Ok(work.spent()),
        Err(faults) => Err(faults.into_iter().map(|fault| format!("{} {}", fault.condition, fault.message)).collect()),
    }
}

#[test]
fn one_budget_covers_scanning_typing_and_compiling_of_all_conditions() {
    let texts = ["size(force) >= 2 && days > 3", r#"force.exists(m, m in nato) || scope == "all""#];
    let alone: Vec<u64> = texts.iter().map(|text| compile(&[text], u64::MAX).unwrap()).collect();
    let together = compile(&texts, u64::MAX).unwrap();
    assert_eq!(together, alone.iter().sum::<u64>());
    assert_eq!(compile(&texts, together), Ok(together));
    let message = |steps: u64| format!("compiling the condition takes more than {steps} steps; split or simplify it");
    assert_eq!(compile(&texts, together - 1), Err(vec![format!("1 {}", message(together - 1))]));
    // Whichever stage exhausts the budget, the exhausted budget is the only error that is reported.
    for steps in (0..together).step_by(997) {
        let faults = compile(&texts, steps).unwrap_err();
        assert!(faults.iter().all(|fault| fault.ends_with(&message(steps))), "{faults:?}");
    }
}

#[test]
fn every_condition_has_a_minimum_cost() {
    let short = |count: usize| compile(&vec!["backed"; count], WorkBudget::MAX_STEPS_OF_CALL);
    let one = short(1).unwrap();
    let most = usize::try_from(WorkBudget::MAX_STEPS_OF_CALL / one).unwrap();
    assert!((100..1_000).contains(&most), "{most}");
    assert!(short(most).is_ok());
    let faults = short(most + 1).unwrap_err();
    assert_eq!(faults.len(), 1);
    // Conditions after the one that exhausts the budget are not checked.
    assert_eq!(short(100 * most).unwrap_err().len(), 1);
}

#[test]
fn a_call_is_limited_to_fewer_cubes_than_a_file() {
    let at_least_two = |members: usize| {
        let domain = Domain::Members((0..members).map(|at| Arc::from(format!("m{at}"))).collect());
        let formula = Formula::Atom(Atom::Count { input: InputIndex(0), allowed: u128::MAX << 2 });
        let space = Space::new([&domain], []).unwrap();
        let of_call = Decision::compile(&formula, &space, WorkBudget::for_call());
        let of_file = Decision::compile(&formula, &space, WorkBudget::default());
        (of_call.map(|decision| decision.holds.len()), of_file.map(|decision| decision.holds.len()))
    };
    // Every pair of members is a prime implicant.
    assert_eq!(at_least_two(32), (Ok(496), Ok(496)));
    assert_eq!(at_least_two(33), (Err(ComplexityError::Cubes { limit: 512 }), Ok(528)));
    assert_eq!(at_least_two(46).1, Err(ComplexityError::Cubes { limit: 1_024 }));
}
