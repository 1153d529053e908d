//! The gRPC methods of `RedLineService`: each takes a permit, answers, and takes room for the answer.
//!
//! The permits limit the calls that the server works on at a time; the rooms bound the memory that requests and answers
//! take. A method whose answer may be large takes room before its work. What can be checked in microseconds is checked
//! before a request waits for room or a worker. A stream of evaluations takes a permit for each
//! of its messages instead. Must not know how a method finds its answer.

use crate::convert::sizes::needs_worker;
use crate::middleware::account::CallAccount;
use crate::schema::encoded::{Encoded, EvaluateProposalResponse};
use crate::schema::proto::v1;
use crate::services::answering::Kind;
use crate::services::compare::check_compared;
use crate::services::generated::red_line_service_server::{RedLineService, RedLineServiceServer};
use crate::services::size::MAX_ANSWER_BYTES;
use crate::services::{RedLines, stream};
use tonic::{Request, Response, Status, Streaming};

impl RedLines {
    /// Converts to a tonic service that reads messages of up to `max_request_bytes`.
    pub fn into_server(self, max_request_bytes: usize) -> RedLineServiceServer<Self> {
        RedLineServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    }
}

#[tonic::async_trait]
impl RedLineService for RedLines {
    type StreamEvaluateProposalsStream = stream::AnswerStream;

    async fn evaluate_proposal(
        &self,
        request: Request<v1::EvaluateProposalRequest>,
    ) -> Result<Response<EvaluateProposalResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        let answer = if needs_worker(&request.hypotheses) {
            service.check_before_worker(&request.hypotheses)?;
            service.answer_on_worker(Kind::Call, move |service| service.evaluate_encoded(&request)).await
        } else {
            service.answer(Kind::Call, |service| service.evaluate_encoded(&request)).await
        };
        service.respond(answer)
    }

    async fn batch_evaluate_proposals(
        &self,
        request: Request<v1::BatchEvaluateProposalsRequest>,
    ) -> Result<Response<Encoded<v1::BatchEvaluateProposalsResponse>>, Status> {
        let (service, request) = self.for_call(request)?;
        service.expect_large_answer().await?;
        service.respond(service.batch_in_turns(request).await)
    }

    async fn stream_evaluate_proposals(
        &self,
        requests: Request<Streaming<v1::StreamEvaluateProposalsRequest>>,
    ) -> Result<Response<Self::StreamEvaluateProposalsStream>, Status> {
        let place = requests.extensions().get::<CallAccount>().map(CallAccount::open_stream).transpose()?;
        let (service, requests) = (self.with_call(requests.extensions()), requests.into_inner());
        Ok(Response::new(stream::answers(service, requests, place)))
    }

    async fn evaluate_history(
        &self,
        request: Request<v1::EvaluateHistoryRequest>,
    ) -> Result<Response<Encoded<v1::EvaluateHistoryResponse>>, Status> {
        let (service, request) = self.for_call(request)?;
        service.check_before_worker(&request.hypotheses)?;
        let make = move |service: &Self| service.evaluate_history(&request).map(Encoded::from);
        service.respond(service.answer_on_worker(Kind::LongCall, make).await)
    }

    async fn compare_proposals(
        &self,
        request: Request<v1::CompareProposalsRequest>,
    ) -> Result<Response<Encoded<v1::CompareProposalsResponse>>, Status> {
        let (service, request) = self.for_call(request)?;
        service.check_before_worker(&request.hypotheses)?;
        // The log and the span of a refused comparison name its scenario.
        service.scenario(&request.scenario, "scenario", &request.revision)?;
        check_compared(request.proposals.len())?;
        let make = move |service: &Self| service.compare_proposals(&request).map(Encoded::from);
        service.respond(service.answer_on_worker(Kind::LongCall, make).await)
    }

    async fn list_red_lines(
        &self,
        request: Request<v1::ListRedLinesRequest>,
    ) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.expect_large_answer().await?;
        service.respond(service.list_red_lines(request))
    }

    async fn get_red_line(&self, request: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.answer(Kind::Call, |service| service.get_red_line(request.clone())).await)
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.expect_large_answer().await?;
        service.respond(service.list_scenarios(request))
    }

    async fn get_scenario(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        let (service, request) = self.for_call(request)?;
        service.expect_large_answer().await?;
        service.respond(service.get_scenario(request))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.expect_large_answer().await?;
        service.respond(service.list_proposals(request))
    }

    async fn get_proposal(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.answer(Kind::Call, |service| service.get_proposal(request.clone())).await)
    }
}
