//! Lists of red lines: pages, filters, orders and page tokens.

use super::{Client, SCENARIO, client, day, refused};
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::serving::source;
use tonic::{Code, Status};

async fn page(client: &mut Client, request: v1::ListRedLinesRequest) -> Result<v1::ListRedLinesResponse, Status> {
    client.list_red_lines(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn pages_add_up_to_the_whole_list() {
    let (_server, mut client) = client().await;
    let request = v1::ListRedLinesRequest { parent: SCENARIO.to_owned(), ..Default::default() };
    let whole = page(&mut client, request.clone()).await.unwrap();
    assert_eq!((whole.red_lines.len(), whole.total_size, whole.next_page_token.as_str()), (24, 24, ""));
    let mut next = v1::ListRedLinesRequest { page_size: 7, ..request };
    let mut joined = Vec::new();
    loop {
        let found = page(&mut client, next.clone()).await.unwrap();
        assert!(!found.red_lines.is_empty());
        joined.extend(found.red_lines);
        if found.next_page_token.is_empty() {
            break;
        }
        next.page_token = found.next_page_token;
    }
    assert_eq!(joined, whole.red_lines);
    assert!(joined.iter().all(|red_line| !red_line.evidence.is_empty() && red_line.condition.is_some()));
}

#[tokio::test]
async fn red_lines_are_filtered_and_ordered() {
    let (_server, mut client) = client().await;
    let mut ids = async |filter: v1::RedLineFilter, order_by: &str| {
        let request =
            v1::ListRedLinesRequest { filter: Some(filter), order_by: order_by.to_owned(), ..Default::default() };
        let found = page(&mut client, request).await.unwrap().red_lines;
        found.iter().map(|line| line.name.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let filter = v1::RedLineFilter::default();
    let firm = v1::RedLineFilter {
        firmness_at_least: v1::Firmness::Firm.into(),
        party: "russia".to_owned(),
        ..filter.clone()
    };
    assert_eq!(ids(firm, "").await, ["ru-no-nato-forces", "ru-no-foreign-forces"]);
    let willing = v1::RedLineFilter { issue: "guarantors_willing".to_owned(), ..filter.clone() };
    assert_eq!(ids(willing, "").await, ["gs-no-confrontation"]);
    let held = v1::RedLineFilter { held_on: day(2023, 1, 1), ..filter.clone() };
    assert_eq!(
        ids(held, "firmness desc, id").await,
        ["gs-no-confrontation", "ua-no-regrouping-pause", "ua-withdrawal-first", "ru-army-reduced"]
    );
    let text = v1::RedLineFilter { text: "LAVROV".to_owned(), ..filter };
    assert_eq!(ids(text, "").await, ["ru-no-nato-forces"]);
}

#[tokio::test]
async fn a_page_token_is_valid_for_its_own_list_only() {
    let (server, mut client) = client().await;
    let request = v1::ListRedLinesRequest { page_size: 5, ..Default::default() };
    let token = page(&mut client, request.clone()).await.unwrap().next_page_token;
    let with = |token: String| v1::ListRedLinesRequest { page_token: token, ..request.clone() };
    page(&mut client, with(token.clone())).await.unwrap();
    // The page size may change between pages.
    page(&mut client, v1::ListRedLinesRequest { page_size: 9, ..with(token.clone()) }).await.unwrap();

    let expect = |status: Status, code: Code, reason: &str| {
        let (found, found_reason, _) = refused(&status);
        assert_eq!((found, found_reason.as_str()), (code, reason));
    };
    let filter = Some(v1::RedLineFilter { party: "russia".to_owned(), ..Default::default() });
    let other_filter = v1::ListRedLinesRequest { filter, ..with(token.clone()) };
    expect(page(&mut client, other_filter).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    let other_order = v1::ListRedLinesRequest { order_by: "id".to_owned(), ..with(token.clone()) };
    expect(page(&mut client, other_order).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    let other_list = v1::ListProposalsRequest { page_token: token.clone(), ..Default::default() };
    expect(client.list_proposals(other_list).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_MISMATCH");
    for at in 0..token.len() {
        for flip in [0x01, 0x02, 0x20] {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let status = page(&mut client, with(changed)).await.unwrap_err();
            expect(status, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
        }
    }
    for odd in ["x", &token[1..], &format!("{token}A"), &format!("{token}="), &"A".repeat(100_000)] {
        expect(page(&mut client, with(odd.to_owned())).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let negative = v1::ListRedLinesRequest { page_size: -1, ..request.clone() };
    expect(page(&mut client, negative).await.unwrap_err(), Code::InvalidArgument, "INVALID_REQUEST");

    // Another revision of the same scenario, as another replica may serve it.
    let text = source::EMBEDDED.replacen("as_of: 2025-03-14", "as_of: 2025-03-13", 1);
    let scenario = detente_core::scenario::load("other.yaml", &text).unwrap();
    let compiled = detente_core::engine::Compiled::new(std::sync::Arc::new(scenario)).unwrap();
    let store = detente::serving::Store::new(vec![compiled]).unwrap();
    let replica = detente::services::RedLines::new(std::sync::Arc::new(store));
    let status = Status::from(replica.list_red_lines(with(token.clone())).unwrap_err());
    expect(status, Code::FailedPrecondition, "REVISION_NOT_HELD");
    // A replica with the same revision continues the list at the same point.
    let store = detente::serving::Store::new(source::load(&[]).unwrap()).unwrap();
    let replica = detente::services::RedLines::new(std::sync::Arc::new(store));
    let there = replica.list_red_lines(with(token.clone())).unwrap();
    assert_eq!(there, page(&mut client, with(token)).await.unwrap());
    server.assert_answers().await;
}

#[tokio::test]
async fn all_filter_faults_are_reported_at_once_with_the_nearest_names() {
    let (_server, mut client) = client().await;
    let filter = v1::RedLineFilter {
        party: "rusia".to_owned(),
        issue: "sanction".to_owned(),
        firmness_at_least: 9,
        held_on: Some(Date { year: 2025, month: 13, day: 1 }),
        text: "x".repeat(201),
    };
    let request = v1::ListRedLinesRequest {
        filter: Some(filter),
        order_by: "size, id up, id, id".to_owned(),
        page_size: -3,
        ..Default::default()
    };
    let (code, _, violations) = refused(&page(&mut client, request).await.unwrap_err());
    assert_eq!(code, Code::InvalidArgument);
    let fields: Vec<&str> = violations.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "page_size",
            "order_by",
            "order_by",
            "order_by",
            "filter.party",
            "filter.issue",
            "filter.firmness_at_least",
            "filter.held_on",
            "filter.text",
        ],
        "{violations:#?}"
    );
    assert_eq!(violations[4].1, "there is no party `rusia`; did you mean `russia`?");
}
