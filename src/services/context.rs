//! The context of one call: its caller, its permits, the scenarios that the caller may see, and its summary.
//!
//! Must not know which method is called.

use crate::access::CallerRole;
use crate::convert::sizes::check_hypotheses;
use crate::error::ApiError;
use crate::middleware::account::CallAccount;
use crate::middleware::account::answers::LONGEST_WAIT;
use crate::middleware::admission::CallPermit;
use crate::middleware::call::Call;
use crate::schema::proto::v1;
use crate::services::RedLines;
use crate::services::admitted::Admitted;
use crate::services::size::{Answer, LARGEST_ROOM};
use crate::services::turn::turn_key;
use detente_core::engine::Compiled;
use http::Extensions;
use prost::Message;
use std::sync::Arc;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

impl RedLines {
    /// Returns the service for the request's call, and the request's message.
    ///
    /// The service holds one of the permits that limit how many calls the server works on at a time.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if the server is at its concurrency limit.
    pub(super) fn for_call<T>(&self, request: Request<T>) -> Result<(Self, T), ApiError> {
        let service = self.with_call(request.extensions());
        let permit = service.take_permit()?;
        let admitted = Admitted::new(permit, service.call.account().cloned());
        Ok((Self { _admitted: Some(Arc::new(admitted)), ..service }, request.into_inner()))
    }

    /// Takes one of the permits that limit how many calls the server works on at a time; `None` without a limit.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if the server is at its concurrency limit, or the caller has its share.
    pub(super) fn take_permit(&self) -> Result<Option<CallPermit>, ApiError> {
        let payer = self.call.account().and_then(CallAccount::payer).cloned();
        self.shared.concurrency_limit.as_ref().map(|limit| limit.take(payer)).transpose()
    }

    /// Returns the service for the call that the extensions belong to, without a permit.
    pub(super) fn with_call(&self, extensions: &Extensions) -> Self {
        let call = Call::of(extensions);
        Self { shared: self.shared.clone(), turn: turn_key(&call), call, _admitted: None }
    }

    /// Takes room for the largest answer, before the work of a call whose answer may be large.
    ///
    /// A call that finds no room waits here, where it holds nothing yet.
    ///
    /// # Errors
    /// If there is no room after the maximum time, or too many calls wait.
    pub(super) async fn expect_large_answer(&self) -> Result<(), ApiError> {
        match self.call.account() {
            Some(account) => account.reserve_answer(LARGEST_ROOM, Instant::now() + LONGEST_WAIT).await,
            None => Ok(()),
        }
    }

    /// Makes a response of an answer whose room is taken, until the client has read it.
    ///
    /// # Errors
    /// The error of `answer`, or that the answer takes more room than was taken for it, and there is none.
    pub(super) fn respond<M: Message + 'static>(&self, answer: Result<M, ApiError>) -> Result<Response<M>, Status> {
        let answer = answer?;
        if let Some(account) = self.call.account() {
            let bytes = answer.bytes();
            if !account.try_reserve_answer(bytes) {
                return Err(ApiError::Overloaded.into());
            }
            account.shrink_answer(bytes);
            // What compression saves is given back when the answer is encoded. This takes it from what is reserved.
            account.try_reserve_item(bytes);
        }
        self.call.mark_answered();
        Ok(Response::new(answer))
    }

    /// Whether the caller may see a scenario.
    pub(super) fn may_see(&self, id: &str) -> bool {
        self.call.caller().is_none_or(|caller| caller.may_see(id))
    }

    /// Returns the scenarios that the caller may see, ordered by id.
    pub(super) fn visible(&self) -> Vec<Arc<Compiled>> {
        let mut list = self.shared.store.list();
        list.retain(|compiled| self.may_see(compiled.scenario().id.as_str()));
        list
    }

    /// Checks that the caller may use hypotheses, if the request has any.
    ///
    /// # Errors
    /// [`ApiError::RoleNotEnough`] if the caller is a reader.
    pub(super) fn check_may_suppose(&self, hypotheses: &[v1::Hypothesis]) -> Result<(), ApiError> {
        let is_reader = self.call.caller().is_some_and(|caller| caller.role() < CallerRole::Analyst);
        match hypotheses {
            [_, ..] if is_reader => Err(ApiError::RoleNotEnough { what: "hypotheses" }),
            _ => Ok(()),
        }
    }

    /// Checks who may use the hypotheses of a request, and how many and how large they are, before it waits for a worker.
    ///
    /// # Errors
    /// The errors of [`RedLines::check_may_suppose`] and [`check_hypotheses`].
    pub(super) fn check_before_worker(&self, hypotheses: &[v1::Hypothesis]) -> Result<(), ApiError> {
        self.check_may_suppose(hypotheses)?;
        check_hypotheses(hypotheses)
    }

    /// Records the scenario and the revision in the call's summary.
    pub(super) fn record_scenario(&self, compiled: &Compiled) {
        let scenario = compiled.scenario();
        let mut summary = self.call.summary();
        if summary.scenario.as_deref() != Some(scenario.id.as_str()) {
            summary.scenario = Some(Arc::from(scenario.id.as_str()));
        }
        if summary.revision.as_deref() != Some(scenario.revision.as_str()) {
            summary.revision = Some(scenario.revision.as_str().into());
        }
    }
}
