//! RedLineService over a real socket: known results, each kind of rejection with its details, and pagination.

mod answers;
mod lists;
mod rejections;

use crate::support::Server;
use detente::schema::proto::Date;
use detente::schema::proto::v1;
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::term;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

type Client = RedLineServiceClient<Channel>;

async fn client() -> (Server, Client) {
    let server = Server::start().await;
    let client = RedLineServiceClient::new(server.channel().await);
    (server, client)
}

const SCENARIO: &str = "scenarios/ukraine-2025";

fn named(proposal: &str) -> v1::EvaluateProposalRequest {
    v1::EvaluateProposalRequest {
        subject: Some(Subject::ProposalName(format!("{SCENARIO}/proposals/{proposal}"))),
        ..Default::default()
    }
}

fn own(terms: Vec<v1::Term>) -> v1::EvaluateProposalRequest {
    let proposal = v1::Proposal { terms, ..Default::default() };
    v1::EvaluateProposalRequest { subject: Some(Subject::Proposal(proposal)), ..Default::default() }
}

fn term(issue: &str, value: term::Value) -> v1::Term {
    v1::Term { issue: issue.to_owned(), value: Some(value) }
}

fn choice(issue: &str, option: &str) -> v1::Term {
    term(issue, term::Value::Choice(option.to_owned()))
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn members(issue: &str, values: &[&str]) -> v1::Term {
    term(issue, term::Value::Members(v1::Members { values: strings(values) }))
}

fn day(year: i32, month: i32, day: i32) -> Option<Date> {
    Some(Date { year, month, day })
}

async fn evaluate(client: &mut Client, request: v1::EvaluateProposalRequest) -> v1::Evaluation {
    client.evaluate_proposal(request).await.unwrap().into_inner().evaluation.unwrap()
}

/// The status code, the reason and the violations (field and description) of a rejected call.
fn refused(status: &Status) -> (Code, String, Vec<(String, String)>) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.domain, "detente.dev");
    let violations = details.bad_request().map(|request| request.field_violations.clone()).unwrap_or_default();
    let violations = violations.into_iter().map(|violation| (violation.field, violation.description));
    (status.code(), info.reason.clone(), violations.collect())
}
