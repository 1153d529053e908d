//! A call of the service: who makes it, what it may see, and what is told of it.

use crate::access::Role;
use crate::error::ApiError;
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::call::Call;
use crate::schema::proto::v1;
use crate::services::RedLines;
use detente_core::engine::Compiled;
use http::Extensions;
use prost::Message;
use std::sync::Arc;
use std::time::SystemTime;
use tonic::{Request, Response, Status};

impl RedLines {
    /// The service for the call of a request, with a place, and its message.
    ///
    /// # Errors
    /// If as many are worked on as may be.
    pub(super) fn called<T>(&self, request: Request<T>) -> Result<(Self, T), ApiError> {
        let service = self.of_call(request.extensions());
        let place = self.shared.places.as_ref().map(ConcurrencyLimit::take).transpose()?.map(Arc::new);
        Ok((Self { _place: place, ..service }, request.into_inner()))
    }

    /// The service for the call of these extensions.
    pub(super) fn of_call(&self, extensions: &Extensions) -> Self {
        Self { shared: self.shared.clone(), call: Call::of(extensions), _place: None }
    }

    /// An answer, with the room that it takes until it is read.
    pub(super) fn respond<M: Message>(&self, answer: Result<M, ApiError>) -> Result<Response<M>, Status> {
        let answer = answer?;
        let room = self
            .shared
            .room
            .as_ref()
            .map(|room| room.take(answer.encoded_len(), self.call.connection_budget()))
            .transpose()?;
        let mut response = Response::new(answer);
        if let Some(room) = room {
            response.extensions_mut().insert(room);
        }
        self.call.mark_answered();
        Ok(response)
    }

    /// Whether the caller may know of a scenario.
    pub(super) fn may_see(&self, id: &str) -> bool {
        self.call.caller().is_none_or(|caller| caller.may_see(id))
    }

    /// The scenarios that the caller may know of, in order of id.
    pub(super) fn visible(&self) -> Vec<Arc<Compiled>> {
        let mut list = self.shared.store.list();
        list.retain(|compiled| self.may_see(&compiled.scenario().id));
        list
    }

    /// Refuses hypotheses to those who may not suppose.
    pub(super) fn may_suppose(&self, hypotheses: &[v1::Hypothesis]) -> Result<(), ApiError> {
        let is_reader = self.call.caller().is_some_and(|caller| caller.role() < Role::Analyst);
        match hypotheses {
            [_, ..] if is_reader => Err(ApiError::RoleNotEnough { what: "hypotheses" }),
            _ => Ok(()),
        }
    }

    /// Whether the caller is still who it was when the call began: its token may have been revoked since.
    pub(super) fn still_known(&self) -> Result<(), ApiError> {
        match self.call.caller() {
            Some(caller) if !caller.is_valid_at(SystemTime::now()) => {
                Err(ApiError::Unauthenticated { denied: "the credentials of this call are of no more use".to_owned() })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn tell_scenario(&self, compiled: &Compiled) {
        let scenario = compiled.scenario();
        let mut told = self.call.summary();
        if told.scenario.as_deref() != Some(&*scenario.id) {
            told.scenario = Some(Arc::from(&*scenario.id));
        }
        if told.revision.as_deref() != Some(scenario.revision.as_str()) {
            told.revision = Some(scenario.revision.as_str().into());
        }
    }
}
