//! Page tokens: a token from one replica continues the list on every other replica, also of another version.

use crate::contracts::golden::{assert_golden, assert_same};
use crate::contracts::wire::call;
use crate::support::binary::{Folder, reservoir};
use crate::support::program::Program;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::fmt::Write;

/// Orders for `ListRedLines`: each key ascending and descending, several keys, and equivalent spellings of an order.
const ORDERS: [&str; 18] = [
    "",
    " ",
    "id",
    "id asc",
    "id desc",
    "party",
    "party asc",
    "party desc",
    "firmness",
    "firmness asc",
    "firmness desc",
    "party,id",
    "party, id desc",
    "firmness desc, party, id",
    " firmness  desc ,party asc,id asc ",
    "id desc, firmness, party desc",
    "firmness,id",
    "party desc, firmness desc, id desc",
];

/// Filters that match several red lines of the bundled scenario: each kind, and all kinds together.
fn filters() -> Vec<Value> {
    let day = |year: i32, month: i32, day: i32| json!({"year": year, "month": month, "day": day});
    vec![
        json!({}),
        json!({"party": "russia"}),
        json!({"party": "ukraine"}),
        json!({"issue": "sanctions"}),
        json!({"issue": "ceasefire_scope"}),
        json!({"firmnessAtLeast": "FIRMNESS_TENTATIVE"}),
        json!({"firmnessAtLeast": "FIRMNESS_NEGOTIABLE"}),
        json!({"firmnessAtLeast": "FIRMNESS_FIRM"}),
        json!({"firmnessAtLeast": "FIRMNESS_ABSOLUTE"}),
        json!({"heldOn": day(2023, 1, 1)}),
        json!({"heldOn": day(2025, 3, 14)}),
        json!({"text": "force"}),
        json!({"text": "NATO"}),
        json!({"party": "russia", "firmnessAtLeast": "FIRMNESS_FIRM", "heldOn": day(2025, 3, 14), "text": "e"}),
    ]
}

/// The lists whose tokens are in the golden file. Each is a method, the field of the response that contains the items,
/// and a request.
fn lists() -> Vec<(&'static str, &'static str, Value)> {
    const BUNDLED: &str = "scenarios/ukraine-2025";
    let mut lists: Vec<(&str, &str, Value)> = Vec::new();
    let mut red_lines = |request: Value| lists.push(("ListRedLines", "redLines", request));
    for order in ORDERS {
        red_lines(json!({"parent": BUNDLED, "pageSize": 3, "orderBy": order}));
    }
    for filter in filters() {
        red_lines(json!({"parent": BUNDLED, "pageSize": 1, "filter": filter}));
    }
    red_lines(json!({"parent": BUNDLED, "pageSize": 2, "filter": {"party": "russia"}, "orderBy": "firmness desc, id"}));
    for size in [1, 10, 23] {
        red_lines(json!({"pageSize": size}));
    }
    red_lines(json!({"parent": "scenarios/reservoir", "pageSize": 1}));
    for size in [1, 2, 10] {
        lists.push(("ListProposals", "proposals", json!({"parent": BUNDLED, "pageSize": size})));
    }
    lists.push(("ListProposals", "proposals", json!({"pageSize": 4})));
    lists.push(("ListScenarios", "scenarios", json!({"pageSize": 1})));
    lists
}

/// The decoded content of a token. It is for people who read the golden file.
fn decoded(token: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    assert_eq!(bytes.len(), 45, "{token}");
    let position = u32::from_le_bytes(bytes[33..37].try_into().unwrap());
    format!("version {}, revision {}, query {}, position {position}", bytes[0], hex(&bytes[1..17]), hex(&bytes[17..33]))
}

/// The text of the golden file, from a server with a cache of this size. Also checks that every token leads to the
/// right page.
async fn tokens(cache: &str) -> String {
    let folder = Folder::new(&format!("page-tokens-{cache}"));
    let second = folder.write("reservoir.yaml", reservoir());
    let program =
        Program::start(&["--cache", cache, "--scenario", "scenarios/ukraine-2025.yaml", "--scenario", &second]);
    let client = program.client().await;
    let mut text = String::new();
    for (method, items, request) in lists() {
        let first = call(&client, method, &[], std::slice::from_ref(&request)).await.message();
        let token = first["nextPageToken"].as_str().unwrap_or_else(|| panic!("{request} has only one page")).to_owned();
        let _ = writeln!(text, "{method} {request}\n  {token}\n  {}", decoded(&token));
        let with = |field: &str, value: Value| {
            let mut request = request.clone();
            request[field] = value;
            request
        };
        let all = call(&client, method, &[], &[with("pageSize", json!(1000))]).await.message();
        let next = call(&client, method, &[], &[with("pageToken", json!(token))]).await.message();
        let (all, next) = (all[items].as_array().unwrap(), next[items].as_array().unwrap());
        let position = first[items].as_array().unwrap().len();
        assert_eq!(next[0], all[position], "{method} {request}");
    }
    text
}

#[tokio::test]
async fn page_tokens_are_those_of_earlier_versions() {
    let cached = tokens("32MiB").await;
    assert_same("tokens without a cache", &tokens("0").await, &cached);
    assert_golden("page-tokens.txt", &cached);
}
