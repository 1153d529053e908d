//! What a call holds while it waits: for room, and for a worker.

use crate::convert::sizes::MAX_HYPOTHESES;
use crate::error::ApiError;
use crate::middleware::account::{CallAccount, CallBounds, ConnectionAccount};
use crate::middleware::call::Call;
use crate::middleware::call_limits::CallLimits;
use crate::middleware::callers::Callers;
use crate::schema::proto::v1;
use crate::schema::proto::v1::compared_proposal::Subject;
use crate::services::answering::Kind;
use crate::services::generated::red_line_service_server::RedLineService;
use crate::services::size::{Answer, LARGEST_ROOM};
use crate::services::{MAX_COMPARED, RedLines};
use crate::serving::{Store, source};
use http::{Extensions, HeaderMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::{Code, Request, Status};

const MIB: usize = 1024 * 1024;
const SHORT: Duration = Duration::from_millis(50);

/// An answer that counts how many of its kind there are.
struct Counted {
    bytes: usize,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(bytes: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Self { bytes, alive: alive.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

impl Answer for Counted {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn service() -> RedLines {
    let compiled = source::compile("ukraine-2025.yaml", source::EMBEDDED).unwrap();
    RedLines::new(Arc::new(Store::new(vec![compiled]).unwrap()))
}

fn account(connection: &ConnectionAccount, address: &str) -> CallAccount {
    let account = connection.open();
    account.admit(Callers::default().of_address(address.parse().unwrap()), &HeaderMap::new()).unwrap();
    account
}

fn of_call(service: &RedLines, account: &CallAccount) -> RedLines {
    let mut extensions = Extensions::new();
    extensions.insert(Call::new(None, Some(account.clone()), &HeaderMap::new()));
    service.with_call(&extensions)
}

/// Bounds with room for one largest answer of each of three callers, of which two have one.
fn full() -> (CallBounds, ConnectionAccount, [CallAccount; 2]) {
    let bounds = CallBounds::new(CallLimits { answers: 4 * LARGEST_ROOM, ..CallLimits::DEFAULT });
    let connection = bounds.connect();
    let held = ["192.0.2.1", "192.0.2.2"].map(|address| account(&connection, address));
    held.iter().for_each(|account| assert!(account.try_reserve_answer(LARGEST_ROOM + MIB)));
    (bounds, connection, held)
}

/// Jobs that keep all workers busy, and their queue full, until the flag is set.
async fn busy(service: &RedLines, jobs: usize) -> (Arc<AtomicBool>, JoinSet<Result<(), ApiError>>) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut set = JoinSet::new();
    for _ in 0..jobs {
        let (service, is_over) = (service.clone(), is_over.clone());
        set.spawn(async move {
            let wait = move |_: &RedLines| {
                while !is_over.load(SeqCst) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(())
            };
            service.run_on_worker(wait).await
        });
    }
    sleep(SHORT).await;
    (is_over, set)
}

#[tokio::test]
async fn an_answer_without_room_is_dropped_and_made_again() {
    let (bounds, connection, held) = full();
    let account = account(&connection, "192.0.2.3");
    let service = of_call(&service(), &account);
    let (alive, made) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let make = |service: &RedLines| {
        made.fetch_add(1, SeqCst);
        service.call.when_answered(|| ());
        Ok(Counted::new(3 * MIB, &alive))
    };
    let free = async {
        sleep(SHORT).await;
        assert_eq!((made.load(SeqCst), alive.load(SeqCst)), (1, 0), "nothing is held while the call waits");
        assert_eq!(bounds.counts().waiting, 1);
        held[0].shrink_answer(0);
    };
    let (answer, ()) = tokio::join!(service.answer(Kind::Call, make), free);
    assert_eq!(answer.unwrap().bytes(), 3 * MIB);
    assert_eq!((made.load(SeqCst), bounds.counts().answers), (2, LARGEST_ROOM + MIB + 3 * MIB));
    // With room, an answer is made once.
    account.shrink_answer(0);
    drop(service.answer(Kind::Call, make).await.unwrap());
    assert_eq!(made.load(SeqCst), 3);
}

#[tokio::test]
async fn a_long_call_takes_its_room_when_its_turn_comes_and_before_its_work() {
    let (bounds, connection, held) = full();
    let account = account(&connection, "192.0.2.3");
    let service = of_call(&service(), &account);
    let before = bounds.counts().answers;
    let made = Arc::new(AtomicUsize::new(0));
    let make = {
        let made = made.clone();
        move |_: &RedLines| {
            made.fetch_add(1, SeqCst);
            Ok(v1::CompareProposalsResponse::default())
        }
    };
    let free = async {
        sleep(SHORT).await;
        assert_eq!((made.load(SeqCst), bounds.counts().waiting), (0, 1), "there is no room for the largest answer");
        held[0].shrink_answer(0);
    };
    let (answer, ()) = tokio::join!(service.answer_on_worker(Kind::LongCall, make.clone()), free);
    answer.unwrap();
    assert_eq!(made.load(SeqCst), 1);
    // There is room now, but no worker.
    account.shrink_answer(0);
    let held_by_other = before - (LARGEST_ROOM + MIB);
    let (is_over, mut jobs) = busy(&service, 16).await;
    let queued = async {
        sleep(SHORT).await;
        assert_eq!(bounds.counts().answers, held_by_other, "a call in the queue has no room");
        is_over.store(true, SeqCst);
    };
    let (answer, ()) = tokio::join!(service.answer_on_worker(Kind::LongCall, make), queued);
    answer.unwrap();
    assert_eq!(made.load(SeqCst), 2);
    while let Some(job) = jobs.join_next().await {
        job.unwrap().unwrap();
    }
}

#[tokio::test]
async fn requests_beyond_documented_counts_do_not_wait_for_a_worker() {
    let service = service();
    // Half of the queue is for one caller.
    let (is_over, mut jobs) = busy(&service, 256).await;
    let refused =
        |status: Status| (status.code(), ApiError::of(&status).map_or_else(Vec::new, |error| error.limits().to_vec()));
    let compare = async |count: usize, hypotheses: usize| {
        let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
        let proposal = v1::ComparedProposal { subject: Some(Subject::ProposalName(name)), ..Default::default() };
        let request = v1::CompareProposalsRequest {
            proposals: vec![proposal; count],
            hypotheses: vec![v1::Hypothesis::default(); hypotheses],
            ..Default::default()
        };
        refused(RedLineService::compare_proposals(&service, Request::new(request)).await.unwrap_err())
    };
    assert_eq!(compare(MAX_COMPARED + 1, 0).await, (Code::InvalidArgument, vec!["compared_proposals"]));
    assert_eq!(compare(1, MAX_HYPOTHESES + 1).await, (Code::InvalidArgument, vec!["hypotheses"]));
    assert_eq!(compare(MAX_COMPARED, MAX_HYPOTHESES).await, (Code::Unavailable, vec![]));
    let evaluate = async |hypotheses: usize| {
        let hypotheses = vec![v1::Hypothesis::default(); hypotheses];
        let request = v1::EvaluateProposalRequest { hypotheses, ..Default::default() };
        refused(service.evaluate_proposal(Request::new(request)).await.unwrap_err())
    };
    assert_eq!(evaluate(MAX_HYPOTHESES + 1).await, (Code::InvalidArgument, vec!["hypotheses"]));
    assert_eq!(evaluate(MAX_HYPOTHESES).await, (Code::Unavailable, vec![]));
    is_over.store(true, SeqCst);
    while jobs.join_next().await.is_some() {}
}
