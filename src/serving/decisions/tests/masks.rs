//! Masks of the decision log: which paths are valid, and which values a mask replaces.

use super::*;

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
    masks.iter().for_each(|mask| mask.parse::<Mask>().unwrap().apply(&mut line));
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
    // Paths that lead to no value change nothing.
    for mask in ["item", "caller.name", "request.nothing.at.all", "request.proposal.terms.choice.x"] {
        assert_eq!(masked(&[mask]), masked(&[]), "{mask}");
    }
    assert_eq!(masked(&["request", "request.proposal"])["request"], "masked");
}

#[test]
fn a_path_that_does_not_lead_into_a_decision_is_rejected() {
    let long = "x".repeat(65);
    for path in ["", ".", "caller.", ".caller", "request..terms", "request.ré", "request.a-b", " caller", &long] {
        assert!(matches!(path.parse::<Mask>(), Err(MaskError::NotAPath(_))), "{path}");
    }
    let message = "requests.proposal".parse::<Mask>().unwrap_err().to_string();
    assert!(
        message.starts_with("`requests` is not a field of a decision; expected one of time, request_id, ")
            && message.ends_with("request")
    );
    assert_eq!("request.proposal.terms".parse::<Mask>().unwrap().to_string(), "request.proposal.terms");
    FIELDS.iter().for_each(|field| drop(field.parse::<Mask>().unwrap()));
}

#[test]
fn a_log_masks_what_it_writes() {
    let folder = Folder::new("masked");
    let mask = vec!["caller".parse().unwrap(), "request.proposal.terms".parse().unwrap()];
    let log = DecisionLog::open(DecisionSettings { mask, ..settings(&folder.log()) }).unwrap();
    log.offer(|| json!({"caller": "me", "method": "x", "request": {"proposal": {"terms": [1, 2]}}}));
    log.end(LONG);
    let text = fs::read_to_string(folder.log()).unwrap();
    assert_eq!(text, "{\"caller\":\"masked\",\"method\":\"x\",\"request\":{\"proposal\":{\"terms\":\"masked\"}}}\n");
}
