//! Deadlines. tokio's paused clock jumps to the next timer as soon as every task waits, and does not move while this
//! thread is blocked. Jobs read the real clock.

use super::*;
use crate::serving::analyses::waiters::Waiters;

const MS: Duration = Duration::from_millis(1);

fn tokio_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Starts a job that runs until it must stop, and then returns why and when.
fn obedient(
    analyses: &Analyses<usize, (Stop, Instant), u64>,
    deadline: Option<Instant>,
) -> Ticket<usize, (Stop, Instant), u64> {
    let job = |handle: &JobHandle<'_, u64>| {
        loop {
            if let Some(stop) = handle.stopped() {
                return (stop, Instant::now());
            }
            std::thread::sleep(MS);
        }
    };
    analyses.ask(ANYONE, key(1), deadline, job).unwrap()
}

#[test]
fn a_computation_continues_until_the_latest_stop_of_its_waiters() {
    let now = Instant::now();
    let (waiters, first) = Waiters::new(now, now + 10 * MS, Arc::default());
    assert_eq!(waiters.begin(now), Ok(()));
    let third = waiters.join(now + 30 * MS).unwrap();
    let second = waiters.join(now + 20 * MS).unwrap();
    assert_eq!(waiters.stopped(now + 29 * MS), None);
    // A waiter that has left no longer counts.
    assert!(!waiters.leave(third));
    assert_eq!(waiters.stopped(now + 19 * MS), None);
    assert_eq!(waiters.stopped(now + 20 * MS), Some(Stop::Deadline));
    // Once the computation is stopped, the reason never changes, and no waiter can join.
    assert_eq!(waiters.stopped(now), Some(Stop::Deadline));
    assert_eq!(waiters.join(now + 60 * MS), None);
    assert!(!waiters.leave(first));
    assert!(!waiters.leave(second));
    assert_eq!(waiters.stopped(now), Some(Stop::Deadline));
}

#[test]
fn an_abandoned_computation_cannot_be_joined_or_begun() {
    let now = Instant::now();
    let (waiters, first) = Waiters::new(now, now + 10 * MS, Arc::default());
    let second = waiters.join(now + 20 * MS).unwrap();
    assert!(!waiters.leave(first));
    assert!(waiters.leave(second));
    assert_eq!(waiters.join(now + 20 * MS), None);
    assert_eq!(waiters.begin(now), Err(Stop::Abandoned));
    assert!(!waiters.begun());
}

#[tokio::test(start_paused = true)]
async fn each_waiter_gets_a_result_by_its_own_deadline_while_the_job_continues() {
    let analyses = numbers(1, 0, LONG);
    let deadlines = [2, 5, 300].map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (held, release) = hold(&analyses, 1, Some(deadlines[2]));
    let joined = deadlines.map(|deadline| analyses.ask(ANYONE, key(1), Some(deadline), |_| 0).unwrap());
    for (mut ticket, deadline) in joined.into_iter().zip(deadlines).take(2) {
        assert_eq!(ticket.progress().await, None);
        assert_eq!(ticket.answer().await.unwrap_err(), AnalysisError::Late);
        assert!(tokio_now() >= deadline && tokio_now() <= deadline + 50 * MS);
    }
    assert_eq!(counts(&analyses).running, 1);
    release.send(7).unwrap();
    until_idle(&analyses);
    let mut held = held;
    assert_eq!(held.answer().await.map(|answer| *answer), Ok(7));
}

#[tokio::test(start_paused = true)]
async fn no_waiter_waits_longer_than_the_maximum_time() {
    let analyses = numbers(1, 0, Duration::from_secs(30));
    let asked = Instant::now();
    let (mut without, _release) = hold(&analyses, 1, None);
    let mut beyond = analyses.ask(ANYONE, key(1), Some(asked + LONG), |_| 0).unwrap();
    let both_asked = Instant::now();
    for ticket in [&mut without, &mut beyond] {
        assert_eq!(ticket.answer().await.unwrap_err(), AnalysisError::Late);
        assert!(tokio_now() >= asked + Duration::from_secs(30));
        assert!(tokio_now() <= both_asked + Duration::from_secs(30) + 50 * MS);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_job_cannot_begin_in_time_gets_an_error_before_the_deadline() {
    let analyses = numbers(1, 1, LONG);
    let (_held, _release) = hold(&analyses, 1, None);
    let deadline = Instant::now() + Duration::from_secs(40);
    let mut queued = analyses.ask(ANYONE, key(2), Some(deadline), |_| 2).unwrap();
    assert_eq!(queued.answer().await.unwrap_err(), AnalysisError::NotBegun);
    // A twentieth of the time is reserved.
    assert!(tokio_now() <= deadline - Duration::from_secs(2) + 50 * MS);
    assert!(tokio_now() >= deadline - Duration::from_secs(2) - 50 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_deadline_passes_in_the_queue_never_runs() {
    let analyses = numbers(1, 1, LONG);
    let (_held, release) = hold(&analyses, 1, None);
    let ran = Arc::new(AtomicBool::new(false));
    let job = {
        let ran = ran.clone();
        move |_: &JobHandle<'_, u64>| {
            ran.store(true, SeqCst);
            2
        }
    };
    let mut queued = analyses.ask(ANYONE, key(2), Some(Instant::now() + 150 * MS), job).unwrap();
    std::thread::sleep(150 * MS);
    drop(release);
    until_idle(&analyses);
    assert_eq!(queued.answer().await.unwrap_err(), AnalysisError::NotBegun);
    assert!(!ran.load(SeqCst));
    assert_eq!(counts(&analyses).abandoned, 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_must_stop_early_enough_to_answer() {
    let analyses = analyses(1, 0, LONG);
    let deadline = Instant::now() + 2_000 * MS;
    let mut ticket = obedient(&analyses, Some(deadline));
    until_idle(&analyses);
    // tokio's clock has not moved, so the answer is in time.
    let answer = ticket.answer().await.unwrap();
    assert_eq!(answer.0, Stop::Deadline);
    // The job stopped no earlier than a twentieth before the deadline. How much later depends on the machine.
    assert!(answer.1 >= deadline - 101 * MS);
}

#[tokio::test(start_paused = true)]
async fn joining_with_a_later_deadline_extends_the_time_and_leaving_shortens_it() {
    let analyses = analyses(1, 0, LONG);
    let mut first = obedient(&analyses, Some(Instant::now() + 1_000 * MS));
    let second = obedient(&analyses, Some(Instant::now() + LONG));
    assert_eq!(counts(&analyses).shared, 1, "this machine took more than a second for two calls");
    std::thread::sleep(1_200 * MS);
    assert_eq!(counts(&analyses).running, 1);
    let left = Instant::now();
    drop(second);
    until_idle(&analyses);
    let answer = first.answer().await.unwrap();
    assert_eq!(answer.0, Stop::Deadline);
    assert!(answer.1 >= left);
}

#[tokio::test]
async fn the_job_stops_when_the_last_waiter_leaves() {
    let analyses: Analyses<usize, (), ()> = analyses(1, 0, LONG);
    let (stopped, stops) = channel();
    let (begun, begins) = channel();
    let job = move |handle: &JobHandle<'_, ()>| {
        let _ = begun.send(());
        until("told to stop", || handle.stopped().is_some());
        let _ = stopped.send(handle.stopped());
    };
    let first = analyses.ask(ANYONE, key(1), None, job).unwrap();
    let second = analyses.ask(ANYONE, key(1), None, |_| ()).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    drop(first);
    assert!(stops.recv_timeout(50 * MS).is_err());
    drop(second);
    assert_eq!(stops.recv_timeout(PATIENCE).unwrap(), Some(Stop::Abandoned));
    until_idle(&analyses);
    assert_eq!(counts(&analyses).abandoned, 1);
}

#[tokio::test]
async fn progress_returns_the_latest_report_and_then_none() {
    let analyses = numbers(1, 0, LONG);
    let (next, told) = channel();
    let (reported, reports) = channel();
    let job = move |handle: &JobHandle<'_, u64>| {
        while let Ok(progress) = told.recv() {
            handle.report(progress);
            let _ = reported.send(());
        }
        9
    };
    let mut ticket = analyses.ask(ANYONE, key(1), None, job).unwrap();
    for progress in [1, 2, 3] {
        next.send(progress).unwrap();
        reports.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(timeout(PATIENCE, ticket.progress()).await.unwrap(), Some(3));
    // There is no new report.
    assert!(timeout(20 * MS, ticket.progress()).await.is_err());
    // A waiter that joins sees the latest report.
    let mut joined = analyses.ask(ANYONE, key(1), None, |_| 0).unwrap();
    assert_eq!(timeout(PATIENCE, joined.progress()).await.unwrap(), Some(3));
    next.send(4).unwrap();
    assert_eq!(timeout(PATIENCE, ticket.progress()).await.unwrap(), Some(4));
    drop(next);
    assert_eq!(timeout(PATIENCE, ticket.progress()).await.unwrap(), None);
    assert_eq!(answer(&mut ticket).await, Ok(9));
}
