//! A revision is a hash of a scenario's content. When a scenario is replaced, its past revision stays available, within
//! limits, to requests that pin it (ask for it by name) and to page tokens.

use detente::error::ApiError;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::services::RedLines;
use detente::serving::source;
use detente::serving::{MAX_PAST_REVISIONS, NotHeldError, Store};
use detente_core::engine::Compiled;
use detente_core::scenario;
use detente_core::scenario::ids::ScenarioId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The bundled scenario with this number in its title, which makes it another revision.
fn edited(number: usize) -> Compiled {
    let text = source::EMBEDDED.replacen("title: ", &format!("title: Edit {number}. "), 1);
    Compiled::new(Arc::new(scenario::load("edited.yaml", &text).unwrap())).unwrap()
}

fn revision(compiled: &Compiled) -> String {
    compiled.scenario().revision.to_string()
}

fn store() -> Arc<Store> {
    Arc::new(Store::new(vec![edited(0)]).unwrap())
}

fn pinned(revision: &str) -> v1::EvaluateProposalRequest {
    v1::EvaluateProposalRequest {
        subject: Some(Subject::Proposal(v1::Proposal::default())),
        revision: revision.to_owned(),
        ..v1::EvaluateProposalRequest::default()
    }
}

#[test]
fn a_pin_outlives_reloads_up_to_the_bound() {
    let store = store();
    let service = RedLines::new(store.clone());
    let revisions: Vec<String> = (0..=MAX_PAST_REVISIONS + 1).map(|number| revision(&edited(number))).collect();
    for (number, current) in revisions.iter().enumerate().skip(1) {
        store.put(edited(number));
        let answer = |revision: &str| service.evaluate(&pinned(revision));
        assert_eq!(answer("").unwrap().evaluation.unwrap().revision, *current);
        for (before, held) in revisions.iter().enumerate().take(number + 1) {
            if number - before <= MAX_PAST_REVISIONS {
                assert_eq!(answer(held).unwrap().evaluation.unwrap().revision, *held);
            } else {
                let error = answer(held).unwrap_err();
                assert_eq!(error, ApiError::RevisionNotHeld { requested: held.clone(), current: current.clone() });
            }
        }
    }
    // If a file is changed back, its old revision is current again, and no longer counts as a past one.
    store.put(edited(3));
    assert_eq!(service.evaluate(&pinned("")).unwrap().evaluation.unwrap().revision, revisions[3]);
    assert!(service.evaluate(&pinned(&revisions[5])).is_ok());
    assert!(service.evaluate(&pinned(&revisions[2])).is_ok());
}

#[test]
fn past_revisions_are_bounded_in_bytes() {
    let bytes = edited(1).bytes();
    let kept = |room: usize| {
        let store = Store::new(vec![edited(0)]).unwrap().with_max_past_bytes(room);
        (1..4).for_each(|number| store.put(edited(number)));
        (0..3).filter(|number| store.revision_of("ukraine-2025", &revision(&edited(*number))).is_ok()).count()
    };
    assert_eq!([kept(0), kept(bytes - 1), kept(bytes * 2 + bytes / 2), kept(bytes * 4)], [0, 0, 2, 3]);
    assert!((50_000..5_000_000).contains(&bytes), "{bytes} bytes are not a plausible size of the bundled scenario");
}

#[test]
fn past_revisions_of_other_scenarios_are_kept() {
    let other = |title: &str| {
        let yaml = format!(
            "scenario: other\ntitle: {title}\ncovers: {{from: 2025-01-01, to: 2025-01-31}}\nas_of: 2025-01-31\n\
             parties: [{{id: p, name: P, role: principal}}]\n\
             issues: [{{id: a, title: A, question: Q, kind: flag}}]\nsources: []\nred_lines: []\n"
        );
        Compiled::new(Arc::new(scenario::load("other.yaml", &yaml).unwrap())).unwrap()
    };
    let store = Store::new(vec![other("One"), edited(0)]).unwrap();
    store.put(other("Two"));
    (1..=MAX_PAST_REVISIONS + 1).for_each(|number| store.put(edited(number)));
    let first = revision(&other("One"));
    assert!(store.revision_of("other", &first).is_ok());
    assert_eq!(
        store.revision_of("ukraine-2025", &first).unwrap_err(),
        NotHeldError::Revision { current: revision(&edited(MAX_PAST_REVISIONS + 1)) }
    );
    // A removed past revision no longer counts against the limit.
    let store = Store::new(vec![other("One"), edited(0)]).unwrap().with_max_past_bytes(edited(0).bytes() * 9 / 2);
    store.put(other("Two"));
    (1..=MAX_PAST_REVISIONS + 1).for_each(|number| store.put(edited(number)));
    assert!(store.revision_of("other", &first).is_ok());
    assert_eq!(store.revision_of("nothing", &first).unwrap_err(), NotHeldError::Scenario);
    assert_eq!(store.default_id().as_ref().map(ScenarioId::as_str), Some("other"));
}

fn page(service: &RedLines, token: &str) -> Result<v1::ListRedLinesResponse, ApiError> {
    let page_token = token.to_owned();
    service.list_red_lines(v1::ListRedLinesRequest { page_size: 10, page_token, ..Default::default() })
}

#[test]
fn a_page_token_outlives_a_reload_and_holds_on_every_replica() {
    let (store, replica) = (store(), store());
    let (service, other) = (RedLines::new(store.clone()), RedLines::new(replica));
    let first = page(&service, "").unwrap();
    store.put(edited(1));
    let second = page(&service, &first.next_page_token).unwrap();
    assert_eq!(second.revision, first.revision, "a list stays on the revision in which it began");
    assert_eq!(page(&other, &first.next_page_token).unwrap(), second);
    let third = page(&service, &second.next_page_token).unwrap();
    let count = first.red_lines.len() + second.red_lines.len() + third.red_lines.len();
    assert_eq!((count, third.next_page_token.as_str()), (24, ""));
    // If a request with a page token also pins a revision, it must be the revision of the token.
    let asked = |revision: &str| v1::ListRedLinesRequest {
        page_size: 10,
        page_token: first.next_page_token.clone(),
        revision: revision.to_owned(),
        ..Default::default()
    };
    assert_eq!(service.list_red_lines(asked(&first.revision)).unwrap(), second);
    assert_eq!(service.list_red_lines(asked(&revision(&edited(1)))).unwrap_err(), ApiError::PageTokenMismatch);
    // When the revision of the token is no longer available, the error names it.
    (2..=MAX_PAST_REVISIONS + 2).for_each(|number| store.put(edited(number)));
    let current = revision(&edited(MAX_PAST_REVISIONS + 2));
    let gone = ApiError::RevisionNotHeld { requested: first.revision.clone(), current };
    assert_eq!(page(&service, &first.next_page_token).unwrap_err(), gone);
}

#[test]
fn readers_always_find_a_revision_during_replacements() {
    let store = store();
    let all: Vec<String> = (0..3).map(|number| revision(&edited(number))).collect();
    (1..3).for_each(|number| store.put(edited(number)));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for revision in &all {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    assert!(store.revision_of("ukraine-2025", revision).is_ok());
                    assert!(store.get("ukraine-2025").is_some());
                }
            });
        }
        for round in 0..30 {
            store.put(edited(round % 3));
        }
        done.store(true, Relaxed);
    });
}
