//! [`RedLines`]: the state that all calls share, and how a call finds its scenario and runs longer work.
//!
//! Must not know which methods there are.

use crate::error::{ApiError, Violations, quoted};
use crate::middleware::admission::ConcurrencyLimit;
use crate::middleware::call::Call;
use crate::schema::names;
use crate::services::admitted::Admitted;
use crate::services::record::Record;
use crate::serving::{Cache, NotHeldError, Store, TurnKey, Workers, WorkersError};
use detente_condition::nearest;
use detente_core::engine::Compiled;
use detente_core::scenario::ids::ScenarioId;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The implementation of `RedLineService` for the scenarios of a store.
///
/// Each call works with a clone of its own, which has the call's context and permit.
#[derive(Clone, Debug)]
pub struct RedLines {
    pub(super) shared: Arc<Shared>,
    pub(super) call: Call,
    /// Identifies the caller, with whom other callers take turns on workers and threads for analyses.
    pub(super) turn: TurnKey,
    /// What the call holds while it is answered, given back when the last clone is dropped.
    pub(super) _admitted: Option<Arc<Admitted>>,
}

/// The state that all calls share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) workers: Workers,
    pub(super) streams: Streams,
    pub(super) concurrency_limit: Option<ConcurrencyLimit>,
    pub(super) record: Record,
}

/// When the server ends streams of evaluations or reflection that their clients keep open.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Time after which a stream without a request ends.
    pub idle: Duration,
    /// Cancelled when the server begins to shut down.
    pub ending: CancellationToken,
}

impl Default for Streams {
    /// Creates settings with an idle time of one minute, and with a token that nothing cancels.
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), ending: CancellationToken::new() }
    }
}

impl RedLines {
    /// Creates a service over the scenarios of `store`, without a cache, limits or a record.
    pub fn new(store: Arc<Store>) -> Self {
        let shared = Shared {
            store,
            cache: None,
            workers: Workers::default(),
            streams: Streams::default(),
            concurrency_limit: None,
            record: Record::default(),
        };
        let (call, turn) = (Call::default(), TurnKey::default());
        Self { shared: Arc::new(shared), call, turn, _admitted: None }
    }

    /// Sets the cache of answers.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<Cache>) -> Self {
        Arc::make_mut(&mut self.shared).cache = Some(cache);
        self
    }

    /// Sets when streams of evaluations end. The default idle time is one minute.
    #[must_use]
    pub fn with_streams(mut self, streams: Streams) -> Self {
        Arc::make_mut(&mut self.shared).streams = streams;
        self
    }

    /// Sets the limit of calls and of stream messages that are worked on at a time. The default is unlimited.
    #[must_use]
    pub fn with_concurrency_limit(mut self, limit: ConcurrencyLimit) -> Self {
        Arc::make_mut(&mut self.shared).concurrency_limit = Some(limit);
        self
    }

    /// Sets where evaluations are recorded.
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        Arc::make_mut(&mut self.shared).record = record;
        self
    }

    /// Returns the id in a scenario's name; for an empty name, the id of the default scenario.
    ///
    /// Errors state `field`, the field of the request that contains the name.
    pub(super) fn scenario_id(&self, name: &str, field: &str) -> Result<ScenarioId, ApiError> {
        match name {
            "" => {
                let default = self.shared.store.default_id().filter(|id| self.may_see(id.as_str()));
                default.ok_or(ApiError::NoDefaultScenario)
            }
            name => names::parse_scenario(name)
                .map(ScenarioId::new)
                .ok_or_else(|| ApiError::InvalidRequest(Violations::one(field, "write `scenarios/{scenario}`"))),
        }
    }

    /// Returns the scenario with this id, in the requested revision, or in the current one if `revision` is empty.
    pub(super) fn scenario_by_id(&self, id: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        // Scenarios that the caller may not see are reported as not found.
        if !self.may_see(id) {
            return Err(self.scenario_not_found(id));
        }
        let store = &self.shared.store;
        let held = match revision {
            "" => store.get(id).ok_or_else(|| self.scenario_not_found(id))?,
            pinned => store.revision_of(id, pinned).map_err(|not_held| match not_held {
                NotHeldError::Scenario => self.scenario_not_found(id),
                NotHeldError::Revision { current } => ApiError::RevisionNotHeld { requested: quoted(pinned), current },
            })?,
        };
        self.record_scenario(&held);
        Ok(held)
    }

    /// Returns the scenario with this name, in the requested revision, or in the current one if `revision` is empty.
    pub(super) fn scenario(&self, name: &str, field: &str, revision: &str) -> Result<Arc<Compiled>, ApiError> {
        self.scenario_by_id(self.scenario_id(name, field)?.as_str(), revision)
    }

    pub(super) fn scenario_not_found(&self, id: &str) -> ApiError {
        let held = self.visible();
        let known = held.iter().map(|compiled| compiled.scenario().id.as_str());
        ApiError::ScenarioNotFound {
            name: names::scenario(&ScenarioId::new(quoted(id))),
            nearest: nearest(id, known).map(|nearest| names::scenario(&ScenarioId::new(nearest))),
        }
    }

    pub(super) fn is_default(&self, compiled: &Compiled) -> bool {
        self.shared.store.default_id().is_some_and(|default| default == compiled.scenario().id)
    }

    /// Runs longer work on a worker thread, so that the threads that serve connections stay free.
    ///
    /// # Errors
    /// The error of the work, or [`ApiError::Overloaded`] if too many jobs, of all callers or of this one, wait for a
    /// worker.
    pub(super) async fn run_on_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        flatten_worker_result(self.shared.workers.run(self.turn, move || work(&service)).await)
    }

    /// Runs one item of a batch or stream on a worker thread. It waits for a worker instead of failing.
    pub(super) async fn run_on_worker_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        flatten_worker_result(self.shared.workers.run_in_turn(self.turn, move || work(&service)).await)
    }
}

fn flatten_worker_result<T>(work: Result<Result<T, ApiError>, WorkersError>) -> Result<T, ApiError> {
    work.unwrap_or_else(|refused| match refused {
        WorkersError::Busy => Err(ApiError::Overloaded),
        WorkersError::Ending => Err(ApiError::ShuttingDown),
    })
}
