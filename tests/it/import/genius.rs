//! Negotiation domains of GENIUS, another program, become scenario files: the golden output of a small domain, and the
//! inputs that are rejected.
//!
//! A domain is an XML file with the issues of a negotiation, a profile one with the weights and evaluations of a party.

use detente_core::scenario;
use detente_core::scenario::model::{Ranking, Role};
use detente_core::scenario::{DateRange, Scenario};
use detente_import::genius;
use detente_import::genius::{Convention, MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES, MAX_PROFILES, XmlFile};

const DOMAIN: XmlFile = XmlFile { path: "in/market.xml", text: include_str!("../../data/genius/market/market.xml") };
const ANNA: XmlFile = XmlFile { path: "in/Anna.xml", text: include_str!("../../data/genius/market/Anna.xml") };
const SECOND: XmlFile =
    XmlFile { path: "in\\2nd party.xml", text: include_str!("../../data/genius/market/2nd party.xml") };

fn options(convention: Convention) -> genius::Options {
    genius::Options { id: None, date: "2010-01-01".parse().unwrap(), convention }
}

fn market(convention: Convention) -> String {
    genius::import(DOMAIN, &[ANNA, SECOND], &options(convention)).unwrap_or_else(|error| panic!("{error}"))
}

fn load(yaml: &str) -> Scenario {
    scenario::load_up_to("market.yaml", yaml, scenario::limits::MAX_FILE_BYTES)
        .unwrap_or_else(|faults| panic!("{faults}"))
}

/// The numbers that a party assigns to the options of an issue.
fn numbers(scenario: &Scenario, party: &str, issue: &str) -> Vec<f64> {
    let (party, (issue, _)) = (scenario.party(party).unwrap(), scenario.input(issue).unwrap());
    let of_both = |preference: &&detente_core::scenario::model::Preference| {
        preference.party == party && preference.issue == issue
    };
    match &scenario.preferences.iter().find(of_both).unwrap().ranking {
        Ranking::Cardinal(values) => values.iter().map(|(_, number)| *number).collect(),
        Ranking::Ordinal(_) => panic!("an order"),
    }
}

/// The golden file, as `detente import genius tests/data/genius/market/{market,Anna,2nd party}.xml` writes it.
#[test]
fn the_scenario_file_matches_the_golden_file() {
    for (convention, kept) in [
        (Convention::AsPublished, include_str!("../../data/genius/market.yaml")),
        (Convention::Normalized, include_str!("../../data/genius/market-normalized.yaml")),
    ] {
        let written = market(convention);
        assert!(written == kept, "{convention:?}:\n{written}");
    }
}

#[test]
fn names_become_ids_and_stay_as_titles() {
    let scenario = load(&market(Convention::AsPublished));
    assert_eq!(
        (scenario.id.as_str(), scenario.covers, scenario.as_of.to_string()),
        ("market", DateRange::of_day(scenario.as_of), "2010-01-01".to_owned())
    );
    let parties: Vec<_> =
        scenario.parties.iter().map(|party| (party.id.as_str(), party.name.as_str(), party.role)).collect();
    assert_eq!(parties, [("anna", "Anna", Role::Principal), ("party_2nd_party", "2nd party", Role::Principal)]);
    let issues: Vec<_> = scenario.issues().iter().map(|issue| (issue.id.as_str(), issue.title.as_str())).collect();
    let expected = [
        ("days_hours", "Days & hours"),
        ("issue_import", "Import"),
        ("issue_import_2", "import"),
        ("balance", "Balance"),
    ];
    assert_eq!(issues, expected);
    let entries: Vec<(&str, &str)> = scenario
        .issues()
        .iter()
        .flat_map(|issue| {
            let ids = issue.domain.entries().iter().map(|id| &**id);
            ids.zip(issue.entry_titles.iter().map(String::as_str))
        })
        .collect();
    let expected = [
        ("option_1_day", "1 day"),
        ("option_1_day_2", "1-day"),
        ("no", "No"),
        ("option_true", "true"),
        ("moiti", "\"à moitié\""),
        ("c_none", "C:\\none"),
        ("ja", "ja"),
        ("option", "нет"),
        ("minus_1", "-1"),
        ("option_0", "0"),
        ("option_1", "1"),
        ("option_2", "2"),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn numbers_are_the_exact_products() {
    let scenario = load(&market(Convention::AsPublished));
    assert_eq!(numbers(&scenario, "anna", "days_hours"), [0.3, 0.7, 0.01]);
    // In doubles, the weight times the evaluation would be a different number.
    assert_ne!([0.1 * 3.0, 0.1 * 7.0], [0.3, 0.7]);
    // A number with more digits than a double holds is read as the nearest double.
    let products = ["0.93185515241938966", "0.34331505615451198", "0"].map(|product| product.parse::<f64>().unwrap());
    assert_eq!(numbers(&scenario, "anna", "issue_import"), products);
    // A linear function evaluates an integer issue. Its offset is the evaluation of the issue's lower bound.
    assert_eq!(numbers(&scenario, "anna", "balance"), [0.14, 0.21, 0.28, 0.35]);
    assert_eq!(numbers(&scenario, "party_2nd_party", "issue_import"), [-0.3, 0.45, 0.9]);
    assert_eq!(numbers(&scenario, "party_2nd_party", "balance"), [0.2, 0.15, 0.1, 0.05]);
}

#[test]
fn normalized_evaluations_are_divided_by_the_highest_of_their_issue() {
    let scenario = load(&market(Convention::Normalized));
    assert_eq!(numbers(&scenario, "anna", "days_hours"), [0.3 / 7.0, 0.1, 0.01 / 7.0]);
    assert_eq!(numbers(&scenario, "anna", "issue_import_2"), [0.0, 0.0], "evaluations that are all zero stay zero");
    assert_eq!(numbers(&scenario, "party_2nd_party", "days_hours")[2], 0.3031462333758278);
    assert_eq!(numbers(&scenario, "party_2nd_party", "issue_import"), [-1.0 / 15.0, 0.1, 0.2]);
    assert_eq!(numbers(&scenario, "anna", "balance"), [0.14, 0.21, 0.28, 0.35], "integers are not divided");
}

#[test]
fn reservation_values_are_kept_and_discount_factors_reported() {
    for convention in [Convention::AsPublished, Convention::Normalized] {
        let scenario = load(&market(convention));
        let values: Vec<_> = scenario.parties.iter().map(|party| party.reservation_value).collect();
        assert_eq!(values, [Some(0.75), None]);
        let parties = detente::convert::scenario::from_scenario(&scenario, true).parties;
        assert_eq!(parties.iter().map(|party| party.reservation_value).collect::<Vec<_>>(), values);
        assert!(scenario.description.ends_with("Discount factors are not modelled."));
        assert!(
            scenario.parties[0].description.starts_with("The discount factor of the profile, 0.9, is not modelled.")
        );
        assert_eq!(scenario.parties[1].description, "");
    }
}

#[test]
fn the_id_and_the_day_may_be_given() {
    let given = genius::Options {
        id: Some("stall".to_owned()),
        date: "2011-06-30".parse().unwrap(),
        convention: Convention::AsPublished,
    };
    let scenario = load(&genius::import(DOMAIN, &[ANNA], &given).unwrap());
    assert_eq!((scenario.id.as_str(), scenario.as_of.to_string()), ("stall", "2011-06-30".to_owned()));
}

#[test]
fn two_profiles_of_one_name_are_two_parties() {
    let again = XmlFile { path: "elsewhere/Anna.xml", ..ANNA };
    let scenario = load(&genius::import(DOMAIN, &[ANNA, again], &options(Convention::AsPublished)).unwrap());
    assert_eq!(scenario.parties.iter().map(|party| party.id.as_str()).collect::<Vec<_>>(), ["anna", "anna_2"]);
    assert_eq!(
        scenario.sources.iter().map(|source| source.id.as_str()).collect::<Vec<_>>(),
        ["market", "anna", "anna-2"]
    );
}

/// The error message when a domain and one profile are imported. `text` is the domain if `of_domain` is true, and
/// otherwise the profile.
fn message(of_domain: bool, text: &str) -> String {
    let (domain, profile) =
        if of_domain { (XmlFile { text, ..DOMAIN }, ANNA) } else { (DOMAIN, XmlFile { text, ..ANNA }) };
    genius::import(domain, &[profile], &options(Convention::Normalized)).unwrap_err().to_string()
}

/// A text with the first occurrence of `from` replaced by `to`. Panics if `from` does not occur.
fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn faults_of_a_domain_are_reported_with_their_position() {
    let items = |count: usize| (0..count).map(|at| format!("<item value=\"v{at}\"/>")).collect::<String>();
    let balance =
        "<issue index=\"4\" name=\"Balance\" type=\"integer\" vtype=\"integer\" lowerbound=\"-1\" upperbound=\"2\"/>";
    let instead = |issue: &str| (balance, issue.to_owned());
    let listed = |items: String| format!("<issue index=\"4\" name=\"Balance\" type=\"discrete\">{items}</issue>");
    for ((from, to), expected) in [
        (
            ("<utility_space number", "<utility_spaces number".to_owned()),
            "23:3: this is not XML: expected 'utility_spaces' tag, not 'utility_space'",
        ),
        (("<negotiation_template>", "<negotiation_template".to_owned()), "this is not XML"),
        ((DOMAIN.text, String::new()), "1:1: this is not XML: the document does not have a root node"),
        (
            (DOMAIN.text, "<a/>".to_owned()),
            "1:1: expected a `utility_space`, or a `negotiation_template` that contains one, not `a`",
        ),
        (
            (DOMAIN.text, "<negotiation_template/>".to_owned()),
            "1:1: `negotiation_template` has 0 elements `utility_space`; expected one",
        ),
        ((DOMAIN.text, "<utility_space/>".to_owned()), "1:1: `utility_space` has 0 elements `objective`; expected one"),
        (
            (DOMAIN.text, "<utility_space><objective/><objective/></utility_space>".to_owned()),
            "1:1: `utility_space` has 2 elements `objective`; expected one",
        ),
        ((DOMAIN.text, "<utility_space><objective/></utility_space>".to_owned()), "1:16: the objective has no issues"),
        (
            (DOMAIN.text, "<utility_space><ufun/></utility_space>".to_owned()),
            "1:16: `ufun` is not allowed in this `utility_space`; only additive utilities over issues can be imported",
        ),
        (
            (DOMAIN.text, "<utility_space><objective><objective/></objective></utility_space>".to_owned()),
            "1:27: an objective inside an objective is not supported; put all issues into one objective",
        ),
        (
            (DOMAIN.text, "<utility_space><objective><constraint/></objective></utility_space>".to_owned()),
            "1:27: `constraint` is not allowed in this `objective`; only additive utilities over issues can be imported",
        ),
        (
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
                "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>".to_owned(),
            ),
            "1:1: document types and entity declarations are not supported",
        ),
        (("value=\"ja\"", "value=\"&ja;\"".to_owned()), "18:32: this is not XML: unknown entity reference 'ja'"),
        (
            ("<issue index=\"2\"", "<issue xmlns:a=\"b\" index=\"2\"".to_owned()),
            "12:7: XML namespaces are not supported",
        ),
        (("name=\"Import\"", format!("name=\"{}\"", "x".repeat(9000))), "12:7: this tag has more than 8192 bytes"),
        (
            ("name=\"Import\"", format!("name=\"{}\"", "x".repeat(201))),
            "12:7: the name has 201 characters; at most 200 are allowed",
        ),
        (("name=\"Import\"", "name=\" \"".to_owned()), "12:7: the name is empty"),
        (("name=\"Import\"", "name=\"a&#27;[1m\"".to_owned()), "this is not XML"),
        (("name=\"Import\"", "name=\"a\u{85}b\"".to_owned()), "12:7: the name contains the control character U+0085"),
        (("name=\"Import\"", "name=\"a&#10;b\"".to_owned()), "12:7: the name contains the control character U+000A"),
        (("name=\"Import\"", "title=\"Import\"".to_owned()), "12:7: `issue` requires the attribute `name`"),
        (("<issue index=\"2\"", "<issue".to_owned()), "12:7: `issue` requires the attribute `index`"),
        (
            ("<issue index=\"2\"", "<issue index=\"two\"".to_owned()),
            "12:7: `two` is not an index; expected a whole number",
        ),
        (
            ("<issue index=\"2\"", "<issue index=\"1\"".to_owned()),
            "12:7: the index 1 already belongs to the issue at in/market.xml:7:7",
        ),
        (
            ("value=\"1-day\"", "value=\"1 day \"".to_owned()),
            "9:9: the option `1 day` is already defined at in/market.xml:8:9",
        ),
        (
            ("name=\"Import\" vtype=\"discrete\"", "name=\"Import\"".to_owned()),
            "12:7: the issue has no type; expected the attribute `type`, `vtype` or `etype`",
        ),
        (
            ("etype=\"discrete\" vtype=\"discrete\">", "etype=\"discrete\" vtype=\"integer\">".to_owned()),
            "7:7: the attributes give the issue two types, `discrete` and `integer`",
        ),
        (
            ("name=\"Import\" vtype=\"discrete\"", "name=\"Import\" vtype=\"real\"".to_owned()),
            "12:7: `real` is not a supported issue type; expected discrete, or integer with at most 64 values",
        ),
        (
            ("<item index=\"3\" value=\"No\"/>", "<range lowerbound=\"1\" upperbound=\"2\"/>".to_owned()),
            "10:9: `range` is not allowed in this `issue`; only additive utilities over issues can be imported",
        ),
        (instead(&listed(items(1))), "21:7: `Balance` has 1 options; expected 2 to 64"),
        (instead(&listed(items(65))), "21:7: `Balance` has 65 options; expected 2 to 64"),
        (("upperbound=\"2\"", "upperbound=\"-1\"".to_owned()), "21:7: `Balance` has 1 options; expected 2 to 64"),
        (("upperbound=\"2\"", "upperbound=\"63\"".to_owned()), "21:7: `Balance` has 65 options; expected 2 to 64"),
        (
            ("lowerbound=\"-1\" upperbound=\"2\"", format!("lowerbound=\"{}\" upperbound=\"{}\"", i64::MIN, i64::MAX)),
            "21:7: `Balance` has 18446744073709551616 options; expected 2 to 64",
        ),
        (("upperbound=\"2\"", "upperbound=\"-2\"".to_owned()), "21:7: the lower bound -1 is above the upper bound -2"),
        (("upperbound=\"2\"", "upperbound=\"2.5\"".to_owned()), "21:7: `2.5` is not a whole number of at most 64 bits"),
        (("upperbound=\"2\"", String::new()), "21:7: `issue` requires the attribute `upperbound`"),
    ] {
        let message = message(true, &edited(DOMAIN.text, from, &to));
        assert!(message.starts_with("in/market.xml:") && message.contains(expected), "{expected}\n{message}");
    }
}

#[test]
fn faults_of_a_profile_are_reported_with_both_positions() {
    for (from, to, expected) in [
        (
            "<weight index=\"7\" value=\"1.0E-4\"/>",
            "",
            "3:3: the profile has no weight for `import`, issue 7 at in/market.xml:17:7",
        ),
        ("<weight index=\"7\"", "<weight index=\"6\"", "6:5: the domain has no issue with the index 6"),
        ("<weight index=\"7\"", "<weight index=\"1\"", "6:5: issue 1 already has a weight at in/Anna.xml:4:5"),
        ("value=\"1.0E-4\"", "", "6:5: `weight` requires the attribute `value`"),
        ("value=\"1.0E-4\"", "value=\"0,1\"", "6:5: `0,1` is not a decimal number"),
        (
            "value=\"1.0E-4\"",
            "value=\"1.0E-400\"",
            "6:5: the number has more than 40 digits before or after its decimal point",
        ),
        ("<reservation value=\"0.75\"/>", "<reservation value=\"NaN\"/>", "2:3: `NaN` is not a decimal number"),
        (
            "<reservation value=\"0.75\"/>",
            "<reservation value=\"1\"/><reservation value=\"1\"/>",
            "1:1: `utility_space` has 2 elements `reservation`; expected one",
        ),
        (
            "<discount_factor value=\"0.9\"/>",
            "<discount_factor/>",
            "29:3: `discount_factor` requires the attribute `value`",
        ),
        ("<issue index=\"7\"", "<issue index=\"5\"", "20:5: the domain has no issue with the index 5"),
        (
            "<issue index=\"7\"",
            "<issue index=\"1\"",
            "20:5: issue 1 is named `import` here, but `Days & hours` at in/market.xml:7:7",
        ),
        (
            "name=\"import\"",
            "name=\"imports\"",
            "20:5: issue 7 is named `imports` here, but `import` at in/market.xml:17:7",
        ),
        (
            "<issue index=\"7\" name=\"import\"",
            "<issue index=\"2\" name=\"Import\"",
            "20:5: the index 2 already belongs to the issue at in/Anna.xml:9:5",
        ),
        (
            "name=\"import\" type=\"discrete\"",
            "name=\"import\" type=\"real\"",
            "20:5: `real` is not a supported issue type; expected discrete, or integer with at most 64 values",
        ),
        (
            "lowerbound=\"-1\" upperbound=\"2\"",
            "lowerbound=\"-1\" upperbound=\"3\"",
            "24:5: `Balance` is an integer from -1 to 3 here, but an integer from -1 to 2 at in/market.xml:21:7",
        ),
        ("value=\"нет\"", "value=\"nein\"", "22:7: `import` at in/market.xml:17:7 has no option `nein`"),
        (
            "<item index=\"2\" value=\"нет\" evaluation=\"0\"/>",
            "",
            "20:5: the profile has no evaluation of `нет`, the option of `import` at in/market.xml:19:9",
        ),
        (
            "<item index=\"2\" value=\"нет\"",
            "<item index=\"2\" value=\"ja\"",
            "22:7: the option `ja` is already defined at in/Anna.xml:21:7",
        ),
        ("value=\"нет\" evaluation=\"0\"", "value=\"нет\"", "22:7: `item` requires the attribute `evaluation`"),
        (
            "value=\"нет\" evaluation=\"0\"",
            "value=\"нет\" evaluation=\"-1\"",
            "20:5: the highest evaluation of `import` is 0; to normalize evaluations, it must be positive",
        ),
        (
            "ftype=\"linear\"",
            "ftype=\"constant\"",
            "26:7: `constant` is not a supported function type; expected linear",
        ),
        ("slope=\"0.1\"", "parameter1=\"0.1\"", "26:7: `evaluator` requires the attribute `slope`"),
        (
            "slope=\"0.1\"",
            "slope=\"0.3\"",
            "26:7: the function gives 2 the evaluation 1.1; expected an evaluation from 0 to 1",
        ),
        (
            "<evaluator ftype=\"linear\" slope=\"0.1\" offset=\"0.2\"/>",
            "",
            "24:5: `issue` has 0 elements `evaluator`; expected one",
        ),
    ] {
        let message = message(false, &edited(ANNA.text, from, to));
        assert_eq!(message, format!("in/Anna.xml:{expected}"));
    }
    let (before, rest) = ANNA.text.split_once("    <issue index=\"7\"").unwrap();
    let without = before.to_owned() + rest.split_once("</issue>").unwrap().1;
    let expected = "in/Anna.xml:3:3: the profile does not contain `import`, issue 7 at in/market.xml:17:7";
    assert_eq!(message(false, &without), expected);
}

#[test]
fn files_are_read_within_bounds() {
    let large = format!("<a>{}</a>", " ".repeat(MAX_FILE_BYTES));
    assert_eq!(message(true, &large), "in/market.xml:1:1: the file has more than 4194304 bytes");
    let deep = "<a>".repeat(1_000_000);
    assert_eq!(
        message(true, &deep),
        format!("in/market.xml:1:{}: elements are nested more than {MAX_DEPTH} deep", 3 * MAX_DEPTH + 1)
    );
    let many = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES as usize));
    assert!(message(true, &many).ends_with("the file has more than 500000 elements and texts"));
    let markup = format!("<a><!-- <!DOCTYPE {} --><![CDATA[<x xmlns='']]><?p <!?></a>", "<b>".repeat(MAX_DEPTH + 1));
    assert!(message(true, &markup).contains("not `a`"), "comments, CDATA and instructions do not count as elements");
    assert!(
        message(true, &format!("\u{feff}{}", DOMAIN.text).replace("\"Balance\"", "\"B\""))
            .contains("`Balance` here, but `B`")
    );

    let issues = |count: usize| {
        let issue = |index| {
            format!(
                "<issue index=\"{index}\" name=\"n\" type=\"discrete\"><item value=\"a\"/><item value=\"b\"/></issue>"
            )
        };
        format!("<utility_space><objective>{}</objective></utility_space>", (0..count).map(issue).collect::<String>())
    };
    assert_eq!(message(true, &issues(501)), "in/market.xml:1:16: there are 501 issues; at most 500 are allowed");
    let with = |domain: &str, profiles: usize| {
        let domain = XmlFile { text: domain, ..DOMAIN };
        genius::import(domain, &vec![ANNA; profiles], &options(Convention::AsPublished))
            .map_err(|error| error.to_string())
    };
    let refused = with(DOMAIN.text, MAX_PROFILES + 1).unwrap_err();
    assert_eq!(refused, "in/market.xml:1:1: there are 65 profiles; at most 64 are allowed");
    let refused = with(&issues(500), 11).unwrap_err();
    assert_eq!(
        refused,
        "in/market.xml:1:1: the profiles and issues result in 5500 preferences; at most 5000 are allowed"
    );
    assert!(scenario::load("many.yaml", &with(DOMAIN.text, MAX_PROFILES).unwrap()).is_ok());
}

/// The processor time of this thread, which does not depend on what else the machine does.
fn cpu_seconds() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec
}

/// Fails if the work since `before` took 20 seconds or more. The limit is generous: it only distinguishes linear work
/// from quadratic work.
fn assert_quick(before: i64) {
    let used = cpu_seconds() - before;
    assert!(used < 20, "{used} s");
}

#[test]
fn the_largest_files_are_read_quickly() {
    // Tags of the maximum length, each full of attributes: the most expensive input for the parser.
    let attributes: String = (0..1_000).map(|at| format!(" a{at}=''")).collect();
    let tag = format!("<b{attributes}/>");
    let text = format!("<a>{}</a>", tag.repeat((MAX_FILE_BYTES - 7) / tag.len()));
    let before = cpu_seconds();
    assert!(message(true, &text).contains("not `a`"));
    assert_quick(before);
}

#[test]
fn the_largest_domains_are_imported_quickly() {
    // The whole file is one line, in which positions take long to compute, and all issues have the same name, so that
    // distinct ids are hard to find.
    let item = |at| format!("<item value=\"{at}\" evaluation=\"0.{at}1\"/>");
    let items: String = (0..64).map(item).collect();
    let issue = |at| {
        format!(
            "<issue index=\"{at}\" type=\"discrete\" name=\"n\">{items}</issue><weight index=\"{at}\" value=\"0.1\"/>"
        )
    };
    let issues: String = (0..500).map(issue).collect();
    let text = format!("<utility_space><objective>{issues}</objective></utility_space>");
    let (domain, profiles) = (XmlFile { text: &text, ..DOMAIN }, vec![XmlFile { text: &text, ..ANNA }; 5]);
    let before = cpu_seconds();
    let yaml = genius::import(domain, &profiles, &options(Convention::Normalized)).unwrap();
    assert_quick(before);
    assert_eq!(load(&yaml).preferences.len(), 2_500);
    // A file with about as many issues as its maximum size allows.
    let issue = |at| format!("<issue index=\"{at}\"/>");
    let text = format!(
        "<utility_space><objective>{}</objective></utility_space>",
        (0..170_000).map(issue).collect::<String>()
    );
    let before = cpu_seconds();
    assert!(message(true, &text).ends_with("there are 170000 issues; at most 500 are allowed"));
    assert_quick(before);
}

#[test]
fn file_names_that_cannot_be_shown_are_refused() {
    for path in ["", "in/", "in/\u{1b}[1m.xml", &"x".repeat(201)] {
        let refused =
            genius::import(DOMAIN, &[XmlFile { path, ..ANNA }], &options(Convention::AsPublished)).unwrap_err();
        assert_eq!(*refused.cause, genius::GeniusError::FileName, "{path}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_imported_file_loads(at in 0usize..3_000, length in 0usize..9, with in "[ -~\u{85}\u{2028}é]{0,5}", of_domain in proptest::bool::ANY) {
        let text = if of_domain { DOMAIN.text } else { ANNA.text };
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let start = boundary(at % text.len());
        let mut mutated = text.to_owned();
        mutated.replace_range(start..boundary(start + length), &with);
        let (domain, profile) =
            if of_domain { (XmlFile { text: &mutated, ..DOMAIN }, ANNA) } else { (DOMAIN, XmlFile { text: &mutated, ..ANNA }) };
        if let Ok(yaml) = genius::import(domain, &[profile], &options(Convention::AsPublished)) {
            load(&yaml);
        }
    }
}
