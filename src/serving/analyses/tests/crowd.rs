//! Many concurrent waiters.

use super::*;

const ASKERS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_equal_questions_share_one_computation() {
    let analyses = numbers(2, 10, LONG);
    let (ran, (release, held)) = (Arc::new(AtomicUsize::new(0)), channel::<u64>());
    let held = Arc::new(Mutex::new(held));
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (analyses, ran, held) = (analyses.clone(), ran.clone(), held.clone());
            tokio::spawn(async move {
                let job = move |_: &JobHandle<'_, u64>| {
                    ran.fetch_add(1, SeqCst);
                    held.lock().unwrap().recv().unwrap()
                };
                let mut ticket = analyses.ask(ANYONE, key(1), None, job).unwrap();
                timeout(PATIENCE, ticket.answer()).await.unwrap().unwrap()
            })
        })
        .collect();
    until("all have asked", || counts(&analyses).shared == ASKERS as u64 - 1);
    release.send(5).unwrap();
    let mut answers = Vec::new();
    for asker in askers {
        answers.push(asker.await.unwrap());
    }
    assert_eq!(*answers[0], 5);
    assert!(answers.iter().all(|answer| Arc::ptr_eq(answer, &answers[0])));
    assert_eq!(ran.load(SeqCst), 1);
    until_idle(&analyses);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_job_stops_within_a_second_after_all_two_hundred_waiters_leave() {
    let analyses = numbers(2, 10, LONG);
    let (stopped, stops) = channel();
    let begun = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (analyses, stopped, begun) = (analyses.clone(), stopped.clone(), begun.clone());
            tokio::spawn(async move {
                let job = move |handle: &JobHandle<'_, u64>| {
                    begun.store(true, SeqCst);
                    until("told to stop", || handle.stopped().is_some());
                    let _ = stopped.send((handle.stopped(), Instant::now()));
                    0
                };
                let mut ticket = analyses.ask(ANYONE, key(1), None, job).unwrap();
                let _ = ticket.answer().await;
            })
        })
        .collect();
    until("all have asked", || counts(&analyses).shared == ASKERS as u64 - 1);
    until("it runs", || begun.load(SeqCst));
    for asker in &askers {
        asker.abort();
    }
    for asker in askers {
        assert!(asker.await.unwrap_err().is_cancelled());
    }
    let left = Instant::now();
    let (why, when) = stops.recv_timeout(PATIENCE).unwrap();
    assert_eq!(why, Some(Stop::Abandoned));
    assert!(when.saturating_duration_since(left) < Duration::from_secs(1));
    until_idle(&analyses);
    assert_eq!(counts(&analyses).abandoned, 1);
}

/// Waiters of three questions join and leave all the time. A waiter that stays gets the complete answer, never one from
/// a job that stopped because others left.
#[test]
fn waiters_that_stay_are_answered_while_others_join_and_leave() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 4_000;
    const KEYS: usize = 3;
    let analyses: Analyses<usize, (usize, Option<Stop>), ()> = analyses(4, THREADS, LONG);
    let answered: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let analyses = &analyses;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    let mut random = (thread as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let mut answered = 0;
                    for _ in 0..ROUNDS {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let number = (random >> 8) as usize % KEYS;
                        let job = move |handle: &JobHandle<'_, ()>| {
                            for _ in 0..200 {
                                if let Some(stop) = handle.stopped() {
                                    return (number, Some(stop));
                                }
                            }
                            (number, None)
                        };
                        // The queue has a slot for each thread, but abandoned jobs that still run may fill it.
                        let Ok(mut ticket) = analyses.ask(ANYONE, key(number), None, job) else { continue };
                        match (random >> 32) % 4 {
                            0 => drop(ticket),
                            1 => {
                                std::thread::yield_now();
                                drop(ticket);
                            }
                            _ => {
                                let answer = runtime.block_on(async { timeout(PATIENCE, ticket.answer()).await });
                                assert_eq!(*answer.unwrap().unwrap(), (number, None));
                                answered += 1;
                            }
                        }
                    }
                    answered
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    until_idle(&analyses);
    let counts = counts(&analyses);
    assert!(answered > THREADS * ROUNDS / 4, "{answered} {counts:?}");
    assert!(counts.shared > 0 && counts.abandoned > 0, "{counts:?}");
}
