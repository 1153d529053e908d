//! The limits of analyses, and the errors that their waiters receive.

mod crowd;
mod time;

use crate::serving::WorkersError;
use crate::serving::analyses::{Analyses, AnalysisError, JobHandle, Stop, Ticket};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);

type Numbers = Analyses<u64, u64>;

fn key(number: usize) -> Bytes {
    Bytes::from(number.to_le_bytes().to_vec())
}

/// Waits in real time until `holds` returns true; fails after 20 seconds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until no job runs or waits and no question is in flight.
fn until_idle<T: Send + Sync + 'static, P: Send + Sync + 'static>(analyses: &Analyses<T, P>) {
    until("idle", || {
        let counts = analyses.counts();
        counts.running == 0 && counts.waiting == 0 && analyses.inner.in_flight.is_empty()
    });
}

/// Starts a job that ignores the request to stop and runs until the sender is used or dropped.
///
/// Returns once the job runs.
fn hold(analyses: &Numbers, number: usize, deadline: Option<Instant>) -> (Ticket<u64, u64>, Sender<u64>) {
    let (release, held) = channel();
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let job = move |_: &JobHandle<'_, u64>| {
        let _ = begun.send(());
        held.recv().unwrap_or_default()
    };
    let ticket = analyses.ask(key(number), deadline, job).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    (ticket, release)
}

async fn answer(ticket: &mut Ticket<u64, u64>) -> Result<u64, AnalysisError> {
    timeout(PATIENCE, ticket.answer()).await.unwrap().map(|answer| *answer)
}

#[tokio::test]
async fn a_question_beyond_the_running_and_waiting_limits_is_rejected() {
    let analyses = Numbers::new(2, 2, LONG);
    let (_first, first) = hold(&analyses, 1, None);
    let (_second, second) = hold(&analyses, 2, None);
    let mut third = analyses.ask(key(3), None, |_| 3).unwrap();
    let mut fourth = analyses.ask(key(4), None, |_| 4).unwrap();
    let counts = analyses.counts();
    assert_eq!((counts.running, counts.waiting, counts.refused), (2, 2, 0));
    assert_eq!(analyses.ask(key(5), None, |_| 5).unwrap_err(), WorkersError::Busy);
    // A waiter that joins takes no slot.
    let mut joined = analyses.ask(key(4), None, |_| 44).unwrap();
    let counts = analyses.counts();
    assert_eq!((counts.running, counts.waiting, counts.refused, counts.shared), (2, 2, 1, 1));
    drop((first, second));
    assert_eq!(answer(&mut third).await, Ok(3));
    assert_eq!(answer(&mut fourth).await, Ok(4));
    assert_eq!(answer(&mut joined).await, Ok(4));
    until_idle(&analyses);
}

#[tokio::test]
async fn the_number_of_running_jobs_never_exceeds_the_limit() {
    let analyses = Numbers::new(3, 100, LONG);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tickets: Vec<_> = (0..60)
        .map(|number| {
            let (now, most) = (now.clone(), most.clone());
            let job = move |_: &JobHandle<'_, u64>| {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, SeqCst);
                0
            };
            analyses.ask(key(number), None, job).unwrap()
        })
        .collect();
    for mut ticket in tickets {
        assert_eq!(answer(&mut ticket).await, Ok(0));
    }
    assert!(most.load(SeqCst) <= 3);
}

#[tokio::test]
async fn jobs_run_in_order_of_arrival() {
    let analyses = Numbers::new(1, 10, LONG);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (_held, release) = hold(&analyses, 100, None);
    let tickets: Vec<_> = (0..10)
        .map(|number| {
            let order = order.clone();
            let job = move |_: &JobHandle<'_, u64>| {
                order.lock().unwrap().push(number);
                0
            };
            analyses.ask(key(number), None, job).unwrap()
        })
        .collect();
    drop(release);
    for mut ticket in tickets {
        assert_eq!(answer(&mut ticket).await, Ok(0));
    }
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_slot_is_free_as_soon_as_its_answer_arrives() {
    let analyses = Numbers::new(1, 0, LONG);
    for number in 0..200 {
        let mut ticket = analyses.ask(key(number), None, move |_| number as u64).unwrap();
        assert_eq!(answer(&mut ticket).await, Ok(number as u64));
    }
}

#[tokio::test]
async fn a_queued_job_without_waiters_leaves_the_queue_at_once_and_never_runs() {
    let analyses = Numbers::new(1, 1, LONG);
    let (mut held, release) = hold(&analyses, 1, None);
    let ran = Arc::new(AtomicBool::new(false));
    let job = {
        let ran = ran.clone();
        move |_: &JobHandle<'_, u64>| {
            ran.store(true, SeqCst);
            2
        }
    };
    let (second, joined) = (analyses.ask(key(2), None, job).unwrap(), analyses.ask(key(2), None, |_| 22).unwrap());
    drop(second);
    assert_eq!(analyses.ask(key(3), None, |_| 3).unwrap_err(), WorkersError::Busy);
    drop(joined);
    assert_eq!((analyses.counts().waiting, analyses.counts().abandoned), (0, 1));
    let mut third = analyses.ask(key(3), None, |_| 3).unwrap();
    release.send(1).unwrap();
    assert_eq!(answer(&mut held).await, Ok(1));
    assert_eq!(answer(&mut third).await, Ok(3));
    until_idle(&analyses);
    assert!(!ran.load(SeqCst));
}

#[tokio::test]
async fn a_question_after_an_answer_is_computed_again() {
    let analyses = Numbers::new(1, 1, LONG);
    let mut first = analyses.ask(key(1), None, |_| 1).unwrap();
    assert_eq!(answer(&mut first).await, Ok(1));
    let mut second = analyses.ask(key(1), None, |_| 2).unwrap();
    assert_eq!(answer(&mut second).await, Ok(2));
    // The first ticket keeps its answer.
    assert_eq!(answer(&mut first).await, Ok(1));
    assert_eq!(analyses.counts().shared, 0);
}

#[tokio::test]
async fn an_abandoned_job_that_still_runs_is_not_joined_and_delays_no_other_job() {
    let analyses = Numbers::new(2, 0, LONG);
    let (left, first) = hold(&analyses, 1, None);
    drop(left);
    let (mut ticket, second) = hold(&analyses, 1, None);
    assert_eq!((analyses.counts().running, analyses.counts().shared), (2, 0));
    // When the first job ends, the question that replaced it stays in the map.
    drop(first);
    until("the first has ended", || analyses.counts().running == 1);
    let mut joined = analyses.ask(key(1), None, |_| 0).unwrap();
    assert_eq!(analyses.counts().shared, 1);
    second.send(2).unwrap();
    assert_eq!(answer(&mut ticket).await, Ok(2));
    assert_eq!(answer(&mut joined).await, Ok(2));
    until_idle(&analyses);
}

#[tokio::test]
async fn a_job_that_panics_makes_only_its_waiters_panic() {
    let analyses = Numbers::new(2, 100, LONG);
    for round in 0..10 {
        let (go, wait) = channel::<()>();
        let job = move |_: &JobHandle<'_, u64>| {
            let _ = wait.recv();
            if round < 100 {
                panic!("on purpose")
            }
            0
        };
        let first = analyses.ask(key(1), None, job).unwrap();
        let second = analyses.ask(key(1), None, |_| 0).unwrap();
        drop(go);
        let mut texts = Vec::new();
        for mut ticket in [first, second] {
            assert_eq!(ticket.progress().await, None);
            let panic = tokio::spawn(async move { ticket.answer().await }).await.unwrap_err().into_panic();
            texts.push(*panic.downcast_ref::<&str>().unwrap());
        }
        assert_eq!(texts, ["on purpose", "the analysis that this call shared with another panicked"]);
        assert!(analyses.inner.in_flight.is_empty());
    }
    // The panics have not reduced the number of threads.
    let both = Arc::new(Barrier::new(2));
    let tickets = [2, 3].map(|number| {
        let both = both.clone();
        let job = move |_: &JobHandle<'_, u64>| {
            both.wait();
            0
        };
        analyses.ask(key(number), None, job).unwrap()
    });
    for mut ticket in tickets {
        assert_eq!(answer(&mut ticket).await, Ok(0));
    }
}

#[tokio::test]
async fn a_shutdown_stops_running_jobs_and_no_job_begins() {
    let analyses: Analyses<Option<Stop>, ()> = Analyses::new(1, 1, LONG);
    let (begun, begins) = channel();
    let job = move |handle: &JobHandle<'_, ()>| {
        let _ = begun.send(());
        until("told to stop", || handle.stopped().is_some());
        handle.stopped()
    };
    let mut running = analyses.ask(key(1), None, job).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let job = {
        let ran = ran.clone();
        move |_: &JobHandle<'_, ()>| {
            ran.store(true, SeqCst);
            None
        }
    };
    let mut waiting = analyses.ask(key(2), None, job).unwrap();
    analyses.end();
    assert_eq!(timeout(PATIENCE, waiting.answer()).await.unwrap(), Err(AnalysisError::Ending));
    assert_eq!(*timeout(PATIENCE, running.answer()).await.unwrap().unwrap(), Some(Stop::Ending));
    for number in [1, 2, 3] {
        assert_eq!(analyses.ask(key(number), None, |_| None).unwrap_err(), WorkersError::Ending);
    }
    until_idle(&analyses);
    assert!(!ran.load(SeqCst));
}

#[test]
fn threads_stay_while_questions_are_possible_and_end_afterwards() {
    let analyses = Numbers::new(2, 2, LONG);
    let held = [1, 2].map(|number| hold(&analyses, number, None));
    drop(held);
    until_idle(&analyses);
    let threads = Arc::downgrade(&analyses.inner.threads);
    until("this reference and those of two threads are left", || threads.strong_count() == 3);
    drop(analyses);
    until("no thread is left", || threads.strong_count() == 0);
}
