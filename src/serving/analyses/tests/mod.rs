//! The limits of analyses, and the errors that their waiters (the callers that wait for the answer) receive.

mod crowd;
mod shared;
mod time;

use crate::serving::analyses::{Analyses, AnalysisCounts, AnalysisError, AnalysisThreads, JobHandle, Stop, Ticket};
use crate::serving::{TurnKey, WorkersError};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);

/// The caller of most questions.
const ANYONE: TurnKey = TurnKey(0);
/// Another caller.
const OTHER: TurnKey = TurnKey(1);

type Numbers = Analyses<usize, u64, u64>;

fn key(number: usize) -> Arc<usize> {
    Arc::new(number)
}

fn analyses<T, P>(running: usize, waiting: usize, longest: Duration) -> Analyses<usize, T, P> {
    AnalysisThreads::new(running, waiting, longest).analyses()
}

fn numbers(running: usize, waiting: usize, longest: Duration) -> Numbers {
    analyses(running, waiting, longest)
}

fn counts<T, P>(analyses: &Analyses<usize, T, P>) -> AnalysisCounts {
    analyses.inner.pool.counts()
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
fn until_idle<T, P>(analyses: &Analyses<usize, T, P>) {
    until("idle", || {
        let counted = counts(analyses);
        counted.running == 0 && counted.waiting == 0 && analyses.inner.in_flight.is_empty()
    });
}

/// Starts a job that ignores that it must stop, and runs until the returned sender is used or dropped.
///
/// Returns once the job runs.
fn hold(analyses: &Numbers, number: usize, deadline: Option<Instant>) -> (Ticket<usize, u64, u64>, Sender<u64>) {
    let (release, held) = channel();
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let job = move |_: &JobHandle<'_, u64>| {
        let _ = begun.send(());
        held.recv().unwrap_or_default()
    };
    let ticket = analyses.ask(ANYONE, key(number), deadline, job).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    (ticket, release)
}

async fn answer(ticket: &mut Ticket<usize, u64, u64>) -> Result<u64, AnalysisError> {
    timeout(PATIENCE, ticket.answer()).await.unwrap().map(|answer| *answer)
}

#[tokio::test]
async fn a_question_beyond_the_running_and_waiting_limits_is_rejected() {
    let analyses = numbers(2, 2, LONG);
    let (_first, first) = hold(&analyses, 1, None);
    let (_second, second) = hold(&analyses, 2, None);
    let mut third = analyses.ask(ANYONE, key(3), None, |_| 3).unwrap();
    let mut fourth = analyses.ask(OTHER, key(4), None, |_| 4).unwrap();
    let counted = counts(&analyses);
    assert_eq!((counted.running, counted.waiting, counted.refused), (2, 2, 0));
    assert_eq!(analyses.ask(ANYONE, key(5), None, |_| 5).unwrap_err(), WorkersError::Busy);
    // A caller whose question is already in flight joins it, and is accepted although the queue is full.
    let mut joined = analyses.ask(ANYONE, key(4), None, |_| 44).unwrap();
    let counted = counts(&analyses);
    assert_eq!((counted.running, counted.waiting, counted.refused, counted.shared), (2, 2, 1, 1));
    drop((first, second));
    assert_eq!(answer(&mut third).await, Ok(3));
    assert_eq!(answer(&mut fourth).await, Ok(4));
    assert_eq!(answer(&mut joined).await, Ok(4));
    until_idle(&analyses);
}

#[tokio::test]
async fn the_number_of_running_jobs_never_exceeds_the_limit() {
    let analyses = numbers(3, 120, LONG);
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
            analyses.ask(ANYONE, key(number), None, job).unwrap()
        })
        .collect();
    for mut ticket in tickets {
        assert_eq!(answer(&mut ticket).await, Ok(0));
    }
    assert!(most.load(SeqCst) <= 3);
}

#[tokio::test]
async fn jobs_run_in_order_of_arrival() {
    let analyses = numbers(1, 20, LONG);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (_held, release) = hold(&analyses, 100, None);
    let tickets: Vec<_> = (0..10)
        .map(|number| {
            let order = order.clone();
            let job = move |_: &JobHandle<'_, u64>| {
                order.lock().unwrap().push(number);
                0
            };
            analyses.ask(ANYONE, key(number), None, job).unwrap()
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
    let analyses = numbers(1, 0, LONG);
    for number in 0..200 {
        let mut ticket = analyses.ask(ANYONE, key(number), None, move |_| number as u64).unwrap();
        assert_eq!(answer(&mut ticket).await, Ok(number as u64));
    }
}

#[tokio::test]
async fn a_queued_job_without_waiters_leaves_the_queue_at_once_and_never_runs() {
    let analyses = numbers(1, 1, LONG);
    let (mut held, release) = hold(&analyses, 1, None);
    let ran = Arc::new(AtomicBool::new(false));
    let job = {
        let ran = ran.clone();
        move |_: &JobHandle<'_, u64>| {
            ran.store(true, SeqCst);
            2
        }
    };
    let (second, joined) =
        (analyses.ask(ANYONE, key(2), None, job).unwrap(), analyses.ask(ANYONE, key(2), None, |_| 22).unwrap());
    drop(second);
    assert_eq!(analyses.ask(ANYONE, key(3), None, |_| 3).unwrap_err(), WorkersError::Busy);
    drop(joined);
    assert_eq!((counts(&analyses).waiting, counts(&analyses).abandoned), (0, 1));
    let mut third = analyses.ask(ANYONE, key(3), None, |_| 3).unwrap();
    release.send(1).unwrap();
    assert_eq!(answer(&mut held).await, Ok(1));
    assert_eq!(answer(&mut third).await, Ok(3));
    until_idle(&analyses);
    assert!(!ran.load(SeqCst));
}

#[tokio::test]
async fn a_question_after_an_answer_is_computed_again() {
    let analyses = numbers(1, 1, LONG);
    let mut first = analyses.ask(ANYONE, key(1), None, |_| 1).unwrap();
    assert_eq!(answer(&mut first).await, Ok(1));
    let mut second = analyses.ask(ANYONE, key(1), None, |_| 2).unwrap();
    assert_eq!(answer(&mut second).await, Ok(2));
    // The first ticket keeps its answer.
    assert_eq!(answer(&mut first).await, Ok(1));
    assert_eq!(counts(&analyses).shared, 0);
}

#[tokio::test]
async fn an_abandoned_job_that_still_runs_is_not_joined_and_delays_no_other_job() {
    let analyses = numbers(2, 0, LONG);
    let (left, first) = hold(&analyses, 1, None);
    drop(left);
    let (mut ticket, second) = hold(&analyses, 1, None);
    assert_eq!((counts(&analyses).running, counts(&analyses).shared), (2, 0));
    // When the first job ends, the question that replaced it stays in the map.
    drop(first);
    until("the first has ended", || counts(&analyses).running == 1);
    let mut joined = analyses.ask(ANYONE, key(1), None, |_| 0).unwrap();
    assert_eq!(counts(&analyses).shared, 1);
    second.send(2).unwrap();
    assert_eq!(answer(&mut ticket).await, Ok(2));
    assert_eq!(answer(&mut joined).await, Ok(2));
    until_idle(&analyses);
}

#[tokio::test]
async fn a_job_that_panics_makes_only_its_waiters_panic() {
    let analyses = numbers(2, 100, LONG);
    for round in 0..10 {
        let (go, wait) = channel::<()>();
        let job = move |_: &JobHandle<'_, u64>| {
            let _ = wait.recv();
            if round < 100 {
                panic!("on purpose")
            }
            0
        };
        let first = analyses.ask(ANYONE, key(1), None, job).unwrap();
        let second = analyses.ask(ANYONE, key(1), None, |_| 0).unwrap();
        drop(go);
        let mut texts = Vec::new();
        for mut ticket in [first, second] {
            assert_eq!(ticket.progress().await, None);
            let panic = tokio::spawn(async move { ticket.answer().await }).await.unwrap_err().into_panic();
            texts.push(*panic.downcast_ref::<&str>().unwrap());
        }
        assert_eq!(texts, ["on purpose", "the analysis, which this call shared with another, panicked"]);
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
        analyses.ask(ANYONE, key(number), None, job).unwrap()
    });
    for mut ticket in tickets {
        assert_eq!(answer(&mut ticket).await, Ok(0));
    }
}

#[tokio::test]
async fn a_shutdown_stops_running_jobs_and_no_job_begins() {
    let analyses: Analyses<usize, Option<Stop>, ()> = analyses(1, 1, LONG);
    let (begun, begins) = channel();
    let job = move |handle: &JobHandle<'_, ()>| {
        let _ = begun.send(());
        until("told to stop", || handle.stopped().is_some());
        handle.stopped()
    };
    let mut running = analyses.ask(ANYONE, key(1), None, job).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let job = {
        let ran = ran.clone();
        move |_: &JobHandle<'_, ()>| {
            ran.store(true, SeqCst);
            None
        }
    };
    let mut waiting = analyses.ask(ANYONE, key(2), None, job).unwrap();
    analyses.inner.pool.threads.end();
    assert_eq!(timeout(PATIENCE, waiting.answer()).await.unwrap(), Err(AnalysisError::Ending));
    assert_eq!(*timeout(PATIENCE, running.answer()).await.unwrap().unwrap(), Some(Stop::Ending));
    for number in [1, 2, 3] {
        assert_eq!(analyses.ask(ANYONE, key(number), None, |_| None).unwrap_err(), WorkersError::Ending);
    }
    until_idle(&analyses);
    assert!(!ran.load(SeqCst));
}

#[test]
fn threads_stay_while_questions_are_possible_and_end_afterwards() {
    let analyses = numbers(2, 2, LONG);
    let held = [1, 2].map(|number| hold(&analyses, number, None));
    drop(held);
    until_idle(&analyses);
    let threads = Arc::downgrade(&analyses.inner.pool.threads);
    until("this reference and those of two threads are left", || threads.strong_count() == 3);
    drop(analyses);
    until("no thread is left", || threads.strong_count() == 0);
}

#[tokio::test]
async fn kinds_of_questions_share_threads_queue_and_counts_but_no_answer() {
    let threads = AnalysisThreads::new(1, 1, LONG);
    let (numbers, texts): (Numbers, Analyses<usize, &str, ()>) = (threads.analyses(), threads.analyses());
    let (mut held, release) = hold(&numbers, 1, None);
    // An equal question of another kind is a question of its own, and takes the only place in the queue.
    let mut waiting = texts.ask(ANYONE, key(1), None, |_| "one").unwrap();
    assert_eq!(numbers.ask(ANYONE, key(2), None, |_| 2).unwrap_err(), WorkersError::Busy);
    let counted = threads.counts();
    assert_eq!((counted.running, counted.waiting, counted.refused, counted.shared), (1, 1, 1, 0));
    release.send(1).unwrap();
    assert_eq!(answer(&mut held).await, Ok(1));
    assert_eq!(*timeout(PATIENCE, waiting.answer()).await.unwrap().unwrap(), "one");
}
