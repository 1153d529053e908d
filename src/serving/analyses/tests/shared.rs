//! Callers take turns: long jobs give way, wait for their next turn, and still end in time.

use super::*;
use crate::serving::analyses::threads::MAX_PARKED_ANALYSES;

/// Starts a job that runs until it must stop or the returned flag is set, and returns why it stopped.
///
/// Returns once the job has begun.
fn long(
    analyses: &Analyses<usize, Option<Stop>, u64>,
    caller: TurnKey,
    number: usize,
    deadline: Option<Instant>,
) -> (Ticket<usize, Option<Stop>, u64>, Arc<AtomicBool>) {
    let done = Arc::new(AtomicBool::new(false));
    let (begun, begins) = channel();
    let job = {
        let done = done.clone();
        move |handle: &JobHandle<'_, u64>| {
            let _ = begun.send(());
            until("stopped", || handle.stopped().is_some() || done.load(SeqCst));
            handle.stopped()
        }
    };
    let ticket = analyses.ask(caller, key(number), deadline, job).unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    (ticket, done)
}

async fn stop_of(ticket: &mut Ticket<usize, Option<Stop>, u64>) -> Option<Stop> {
    *timeout(PATIENCE, ticket.answer()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_short_job_of_another_caller_runs_while_a_long_one_is_parked() {
    let analyses = analyses(1, 8, LONG);
    let (mut held, done) = long(&analyses, ANYONE, 1, None);
    let mut waiting = analyses.ask(ANYONE, key(2), None, |_| None).unwrap();
    for number in 10..20 {
        // The long job never ends by itself, so it has given way whenever one of these is answered.
        let counted = analyses.clone();
        let job = move |_: &JobHandle<'_, u64>| {
            let counted = counts(&counted);
            assert_eq!((counted.running, counted.parked, counted.waiting), (1, 1, 1));
            None
        };
        let mut short = analyses.ask(OTHER, key(number), None, job).unwrap();
        assert_eq!(stop_of(&mut short).await, None);
    }
    assert!(timeout(Duration::from_millis(20), waiting.answer()).await.is_err());
    done.store(true, SeqCst);
    assert_eq!(stop_of(&mut held).await, None);
    assert_eq!(stop_of(&mut waiting).await, None);
    until_idle(&analyses);
}

#[tokio::test]
async fn a_parked_job_stops_at_its_deadline_and_when_its_waiters_leave() {
    let analyses = analyses(1, 8, LONG);
    let (mut timed, _timed) = long(&analyses, ANYONE, 1, Some(Instant::now() + Duration::from_secs(2)));
    // This job ignores that it must give way.
    let (release, held) = channel::<()>();
    let blocking = move |_: &JobHandle<'_, u64>| {
        let _ = held.recv();
        None
    };
    let mut blocking = analyses.ask(OTHER, key(2), None, blocking).unwrap();
    until("it is parked", || counts(&analyses).parked == 1);
    assert_eq!(stop_of(&mut timed).await, Some(Stop::Deadline));
    until("it has ended", || counts(&analyses).parked == 0);
    assert_eq!(counts(&analyses).running, 1);
    release.send(()).unwrap();
    assert_eq!(stop_of(&mut blocking).await, None);

    let (left, _left) = long(&analyses, ANYONE, 1, None);
    let (release, held) = channel::<()>();
    let blocking = move |_: &JobHandle<'_, u64>| {
        let _ = held.recv();
        None
    };
    let mut blocking = analyses.ask(OTHER, key(2), None, blocking).unwrap();
    until("it is parked", || counts(&analyses).parked == 1);
    drop(left);
    until("it has ended", || counts(&analyses).parked == 0);
    release.send(()).unwrap();
    assert_eq!(stop_of(&mut blocking).await, None);
    until_idle(&analyses);
}

#[tokio::test]
async fn a_shutdown_wakes_parked_jobs() {
    let analyses = analyses(1, 8, LONG);
    let (mut parked, _parked) = long(&analyses, ANYONE, 1, None);
    let (mut running, _running) = long(&analyses, OTHER, 2, None);
    analyses.inner.pool.threads.end();
    assert_eq!(stop_of(&mut parked).await, Some(Stop::Ending));
    assert_eq!(stop_of(&mut running).await, Some(Stop::Ending));
    until_idle(&analyses);
    let threads = Arc::downgrade(&analyses.inner.pool.threads);
    drop((analyses, parked, running));
    until("no thread is left", || threads.strong_count() == 0);
}

#[tokio::test]
async fn long_jobs_of_many_callers_take_turns_and_one_ends_early_for_a_newcomer() {
    let analyses = analyses(1, 16, LONG);
    let callers = MAX_PARKED_ANALYSES + 1;
    let mut jobs: Vec<_> = (0..callers).map(|caller| long(&analyses, TurnKey(caller as u64), caller, None)).collect();
    assert_eq!((counts(&analyses).running, counts(&analyses).parked), (1, MAX_PARKED_ANALYSES));
    let mut newcomer = analyses.ask(TurnKey(100), key(100), None, |_| None).unwrap();
    assert_eq!(stop_of(&mut newcomer).await, None);
    for (_, done) in &jobs {
        done.store(true, SeqCst);
    }
    let mut displaced = 0;
    for (ticket, _) in &mut jobs {
        let stop = stop_of(ticket).await;
        assert!(matches!(stop, None | Some(Stop::Displaced)), "{stop:?}");
        displaced += usize::from(stop.is_some());
    }
    assert_eq!(displaced, 1);
    until_idle(&analyses);
}

#[tokio::test]
async fn a_caller_that_joins_a_job_of_a_busy_caller_waits_no_longer_than_alone() {
    let analyses = analyses(1, 16, LONG);
    let (_held, done) = long(&analyses, ANYONE, 1, None);
    let mut of_the_busy: Vec<_> = (2..6)
        .map(|number| {
            let job = |handle: &JobHandle<'_, u64>| {
                until("stopped", || handle.stopped().is_some());
                handle.stopped()
            };
            analyses.ask(ANYONE, key(number), None, job).unwrap()
        })
        .collect();
    let wanted = analyses.ask(ANYONE, key(7), None, |_| None).unwrap();
    let mut joined = analyses.ask(OTHER, key(7), None, |_| None).unwrap();
    assert_eq!(counts(&analyses).shared, 1);
    // The jobs that are ahead of it never end by themselves.
    assert_eq!(stop_of(&mut joined).await, None);
    drop(wanted);
    of_the_busy.clear();
    done.store(true, SeqCst);
    until_idle(&analyses);
}

#[tokio::test]
async fn one_caller_may_have_half_of_the_queue() {
    let analyses = numbers(1, 4, LONG);
    let (_held, release) = hold(&analyses, 1, None);
    let mut tickets = Vec::new();
    for (caller, number) in [(ANYONE, 2), (ANYONE, 3), (OTHER, 5), (OTHER, 6)] {
        tickets.push(analyses.ask(caller, key(number), None, |_| 0).unwrap());
        assert_eq!(analyses.ask(ANYONE, key(4), None, |_| 0).is_err(), number != 2, "{number}");
    }
    assert_eq!(analyses.ask(TurnKey(2), key(7), None, |_| 0).unwrap_err(), WorkersError::Busy);
    drop(release);
    for ticket in &mut tickets {
        assert_eq!(answer(ticket).await, Ok(0));
    }
}
