//! The gRPC methods of `RedLineService`: each takes a permit, answers, and charges the answer to the response budget.
//!
//! The permits limit the calls that the server works on at a time; the response budget bounds the memory that unread
//! answers take. A stream of evaluations takes a permit for each of its messages instead. Must not know how a method
//! finds its answer.

use crate::middleware::connection_context::StreamLimit;
use crate::middleware::quota::Quota;
use crate::schema::encoded::EvaluateProposalResponse;
use crate::schema::proto::v1;
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
        service.respond(match request.hypotheses.as_slice() {
            [] => service.evaluate_encoded(&request),
            _ => service.run_on_worker(move |service| service.evaluate_encoded(&request)).await,
        })
    }

    async fn batch_evaluate_proposals(
        &self,
        request: Request<v1::BatchEvaluateProposalsRequest>,
    ) -> Result<Response<v1::BatchEvaluateProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.for_call(request)?;
        service.respond(service.batch_in_turns(request, quota).await)
    }

    async fn stream_evaluate_proposals(
        &self,
        requests: Request<Streaming<v1::StreamEvaluateProposalsRequest>>,
    ) -> Result<Response<Self::StreamEvaluateProposalsStream>, Status> {
        let permit = requests.extensions().get::<StreamLimit>().map(StreamLimit::take).transpose()?;
        let quota = requests.extensions().get::<Quota>().cloned();
        let (service, requests) = (self.with_call(requests.extensions()), requests.into_inner());
        Ok(Response::new(stream::answers(service, requests, quota, permit)))
    }

    async fn evaluate_history(
        &self,
        request: Request<v1::EvaluateHistoryRequest>,
    ) -> Result<Response<v1::EvaluateHistoryResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.run_on_worker(move |service| service.evaluate_history(&request)).await)
    }

    async fn compare_proposals(
        &self,
        request: Request<v1::CompareProposalsRequest>,
    ) -> Result<Response<v1::CompareProposalsResponse>, Status> {
        let quota = request.extensions().get::<Quota>().cloned();
        let (service, request) = self.for_call(request)?;
        if let Some(quota) = quota {
            // The access layer already charged the quota for the first proposal.
            quota.take_rest(request.proposals.len())?;
        }
        service.respond(service.run_on_worker(move |service| service.compare_proposals(&request)).await)
    }

    async fn list_red_lines(
        &self,
        request: Request<v1::ListRedLinesRequest>,
    ) -> Result<Response<v1::ListRedLinesResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_red_lines(request))
    }

    async fn get_red_line(&self, request: Request<v1::GetRedLineRequest>) -> Result<Response<v1::RedLine>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_red_line(request))
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_scenarios(request))
    }

    async fn get_scenario(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_scenario(request))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.list_proposals(request))
    }

    async fn get_proposal(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let (service, request) = self.for_call(request)?;
        service.respond(service.get_proposal(request))
    }
}
