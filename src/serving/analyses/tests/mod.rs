//! The bounds of analyses, and what their waiters are told when something goes wrong.

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

/// Waits, in real time.
fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Nothing is left behind.
fn until_idle<T: Send + Sync + 'static, P: Send + Sync + 'static>(analyses: &Analyses<T, P>) {
    until("idle", || {
        let counts = analyses.counts();
        counts.running == 0 && counts.waiting == 0 && analyses.inner.in_flight.is_empty()
    });
}

/// Begins a job that runs, deaf to all, until the sender is used or dropped; returns once it runs.
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
async fn as_many_run_and_wait_as_may_and_one_more_is_refused() {
    let analyses = Numbers::new(2, 2, LONG);
    let (_first, first) = hold(&analyses, 1, None);
    let (_second, second) = hold(&analyses, 2, None);
    let mut third = analyses.ask(key(3), None, |_| 3).unwrap();
    let mut fourth = analyses.ask(key(4), None, |_| 4).unwrap();
    let counts = analyses.counts();
    assert_eq!((counts.running, counts.waiting, counts.refused), (2, 2, 0));
    assert_eq!(analyses.ask(key(5), None, |_| 5).unwrap_err(), WorkersError::Busy);
    // Whoever joins takes no place.
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
async fn no_more_run_at_a_time_than_may() {
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
async fn who_came_first_has_their_turn_first() {
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
async fn whoever_has_an_answer_finds_its_place_free() {
    let analyses = Numbers::new(1, 0, LONG);
    for number in 0..200 {
        let mut ticket = analyses.ask(key(number), None, move |_| number as u64).unwrap();
        assert_eq!(answer(&mut ticket).await, Ok(number as u64));
    }
}

#[tokio::test]
async fn a_queued_job_whose_waiters_left_makes_room_at_once_and_never_runs() {
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
async fn what_is_asked_after_an_answer_is_computed_anew() {
    let analyses = Numbers::new(1, 1, LONG);
    let mut first = analyses.ask(key(1), None, |_| 1).unwrap();
    assert_eq!(answer(&mut first).await, Ok(1));
    let mut second = analyses.ask(key(1), None, |_| 2).unwrap();
    assert_eq!(answer(&mut second).await, Ok(2));
    // What was told stays told.
    assert_eq!(answer(&mut first).await, Ok(1));
    assert_eq!(analyses.counts().shared, 0);
}

#[tokio::test]
async fn what_was_abandoned_and_has_not_noticed_is_neither_joined_nor_in_the_way() {
    let analyses = Numbers::new(2, 0, LONG);
    let (left, first) = hold(&analyses, 1, None);
    drop(left);
    let (mut ticket, second) = hold(&analyses, 1, None);
    assert_eq!((analyses.counts().running, analyses.counts().shared), (2, 0));
    // When it ends at last, what has taken its place stays.
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
async fn a_job_that_panics_makes_its_waiters_panic_and_nobody_else() {
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
    // As many run at a time as before.
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
async fn at_the_end_running_jobs_are_told_and_nothing_more_begins() {
    let analyses: Analyses<Option<Stop>, ()> = Analyses::new(1, 1, LONG);
    let (begun, begins) = channel();
    let job = move |going: &JobHandle<'_, ()>| {
        let _ = begun.send(());
        until("told to stop", || going.stopped().is_some());
        going.stopped()
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
fn threads_are_kept_while_someone_may_ask_and_end_when_nobody_can() {
    let analyses = Numbers::new(2, 2, LONG);
    let held = [1, 2].map(|number| hold(&analyses, number, None));
    drop(held);
    until_idle(&analyses);
    let threads = Arc::downgrade(&analyses.inner.threads);
    until("this one's and those of two threads are left", || threads.strong_count() == 3);
    drop(analyses);
    until("no thread is left", || threads.strong_count() == 0);
}
