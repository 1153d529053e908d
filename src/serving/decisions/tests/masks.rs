//! Masks of the decision log: which paths are valid, and which values a mask replaces.

use super::*;
use crate::schema::json::JsonForm;

fn mask(path: &str) -> Result<Mask, MaskError> {
    Mask::parse(path, &JsonForm::of("EvaluateProposalRequest").unwrap().paths())
}

fn masked(masks: &[&str]) -> Value {
    let mut line = json!({
        "caller": "dashboards",
        "crossed": [{"red_line": "a", "firmness": "FIRMNESS_FIRM"}, {"red_line": "b"}],
        "request": {
            "proposalName": "draft",
            "proposal": {"terms": [
                {"issue": "forces", "members": {"values": ["france"]}},
                {"issue": "sanctions", "choice": "lift"},
            ]},
        },
    });
    masks.iter().for_each(|path| mask(path).unwrap().apply(&mut line));
    line
}

#[test]
fn every_value_that_a_path_leads_to_is_masked() {
    assert_eq!(masked(&["caller"])["caller"], "masked");
    assert_eq!(masked(&["request"])["request"], "masked");
    assert_eq!(masked(&["crossed"])["crossed"], "masked");
    let line = masked(&["crossed.red_line"]);
    assert_eq!(line["crossed"], json!([{"red_line": "masked", "firmness": "FIRMNESS_FIRM"}, {"red_line": "masked"}]));
    let line = masked(&["request.proposal.terms.members", "request.proposal.terms.choice"]);
    let terms = json!([{"issue": "forces", "members": "masked"}, {"issue": "sanctions", "choice": "masked"}]);
    assert_eq!(line["request"]["proposal"]["terms"], terms);
    // Both names of a field match.
    for mask in ["request.proposal_name", "request.proposalName"] {
        assert_eq!(masked(&[mask])["request"]["proposalName"], "masked");
    }
    // A path that leads to no value of this line changes nothing.
    for mask in ["item", "request.proposal.terms.any_of.values", "request.as_of.year"] {
        assert_eq!(masked(&[mask]), masked(&[]), "{mask}");
    }
    assert_eq!(masked(&["request", "request.proposal"])["request"], "masked");
}

#[test]
fn a_path_that_does_not_lead_into_a_decision_is_rejected() {
    let long = "x".repeat(65);
    for path in ["", ".", "caller.", ".caller", "request..terms", "request.ré", "request.a-b", " caller", &long] {
        assert!(matches!(mask(path), Err(MaskError::NotAPath(_))), "{path}");
    }
    let message = mask("nothing.like.it").unwrap_err().to_string();
    assert!(
        message.starts_with(
            "`nothing.like.it` is not a field of a decision; a path begins with one of time, request_id, "
        ) && message.ends_with("request"),
        "{message}"
    );
    assert_eq!(mask("request.proposal.terms").unwrap().to_string(), "request.proposal.terms");
    FIELDS.iter().for_each(|field| drop(mask(field).unwrap()));
}

#[test]
fn a_misspelt_path_is_rejected_with_the_nearest_one_wherever_the_fault_is() {
    for (path, nearest) in [
        ("request.propsal", "request.proposal"),
        ("request.proposal.tems", "request.proposal.terms"),
        ("request.proposal.terms.memberz", "request.proposal.terms.members"),
        ("requests.proposal", "request.proposal"),
        ("request.terms", "request"),
        ("request.proposal_nam", "request.proposal_name"),
        ("request.hypotheses.add_red_line.reject", "request.hypotheses.add_red_line.rejects"),
        ("request.proposal.terms.choice.x", "request.proposal.terms.choice"),
        ("caller.name", "caller"),
        ("callers", "caller"),
        ("crossed.redLine", "crossed.red_line"),
        ("crossed.firmnes", "crossed.firmness"),
        ("requestId", "request_id"),
        ("Caller", "caller"),
    ] {
        let message = format!("`{path}` is not a field of a decision; did you mean `{nearest}`?");
        assert_eq!(mask(path).unwrap_err().to_string(), message);
    }
}

#[test]
fn every_field_of_a_request_can_be_masked_by_both_of_its_names() {
    let paths = JsonForm::of("EvaluateProposalRequest").unwrap().paths();
    assert!(paths.len() > 40, "{paths:?}");
    let request = json!({"request": {
        "asOf": {"year": 2025}, "clearedIssues": ["x"],
        "hypotheses": [{"changeFirmness": {"redLine": "x"}}, {"addRedLine": {"requires": "x"}}],
        "overrides": [{"anyOf": {"values": ["x"]}}, {"range": {"min": "1"}}],
    }});
    let mut hidden = 0;
    for (schema, json) in paths {
        let masks = [&schema, &json].map(|path| mask(&format!("request.{path}")).unwrap());
        let [one, other] = masks.map(|mask| {
            let mut line = request.clone();
            mask.apply(&mut line);
            line
        });
        assert_eq!(one, other);
        hidden += usize::from(one != request);
    }
    // The fields of the line above: each is hidden by a path of its own.
    assert_eq!(hidden, 13);
}

#[test]
fn a_log_masks_what_it_writes() {
    let folder = Folder::new("masked");
    let mask = vec![mask("caller").unwrap(), mask("request.proposal.terms").unwrap()];
    let log = DecisionLog::open(DecisionSettings { mask, ..settings(&folder.log()) }).unwrap();
    log.offer(|| json!({"caller": "me", "method": "x", "request": {"proposal": {"terms": [1, 2]}}}));
    log.end(LONG);
    let text = fs::read_to_string(folder.log()).unwrap();
    assert_eq!(text, "{\"caller\":\"masked\",\"method\":\"x\",\"request\":{\"proposal\":{\"terms\":\"masked\"}}}\n");
}
