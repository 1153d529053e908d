//! The limits of the workers: running and waiting jobs, callers that leave, and jobs that panic.

use crate::serving::{TurnKey, Workers, WorkersError};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(10);
/// The caller of most jobs.
const ANYONE: TurnKey = TurnKey(0);

#[tokio::test]
async fn a_job_beyond_the_running_and_waiting_ones_is_refused() {
    let workers = Workers::new(1, 1);
    let (release, held) = mpsc::channel::<()>();
    let first = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(ANYONE, move || held.recv().is_ok()).await }
    });
    let second = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(ANYONE, || 2).await }
    });
    // Wait until both jobs are admitted.
    while workers.counts() != (1, 1) {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(workers.run(ANYONE, || 3).await, Err(WorkersError::Busy));
    // A waiting job is dropped with its caller, and its permit is free again.
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let third = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(ANYONE, || 3).await }
    });
    release.send(()).unwrap();
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap(), Ok(true));
    assert_eq!(timeout(PATIENCE, third).await.unwrap().unwrap(), Ok(3));
    assert_eq!(workers.counts(), (0, 0));
}

#[tokio::test]
async fn callers_take_turns_and_one_may_have_half_of_the_queue() {
    let workers = Workers::new(1, 8);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (release, held) = mpsc::channel::<()>();
    let mut tasks = vec![tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(ANYONE, move || held.recv().unwrap_or(())).await }
    })];
    while workers.counts() != (1, 0) {
        sleep(Duration::from_millis(1)).await;
    }
    let mut add = |caller: u64, is_stream: bool| {
        let (workers, order) = (workers.clone(), order.clone());
        let job = move || {
            std::thread::sleep(Duration::from_millis(20));
            order.lock().unwrap().push(caller);
        };
        tasks.push(tokio::spawn(async move {
            if is_stream {
                workers.run_in_turn(TurnKey(caller), job).await
            } else {
                workers.run(TurnKey(caller), job).await
            }
        }));
    };
    for _ in 0..10 {
        add(0, true);
    }
    for _ in 0..4 {
        add(0, false);
    }
    while workers.counts() != (1, 14) {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(workers.run(ANYONE, || ()).await, Err(WorkersError::Busy));
    for _ in 0..4 {
        add(1, false);
    }
    while workers.counts() != (1, 18) {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(workers.run(TurnKey(2), || ()).await, Err(WorkersError::Busy));
    // The first caller's job has run for longer than all others will.
    sleep(Duration::from_millis(400)).await;
    release.send(()).unwrap();
    for task in tasks {
        assert_eq!(timeout(PATIENCE, task).await.unwrap().unwrap(), Ok(()));
    }
    assert_eq!(order.lock().unwrap()[..4], [1; 4]);
    assert_eq!(workers.counts(), (0, 0));
}

#[tokio::test]
async fn a_running_job_keeps_its_permit_after_its_caller_leaves() {
    let workers = Workers::new(1, 0);
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let first = tokio::spawn({
        let workers = workers.clone();
        let job = move || {
            let _ = begun.send(());
            held.recv().is_ok()
        };
        async move { workers.run(ANYONE, job).await }
    });
    timeout(PATIENCE, begins).await.unwrap().unwrap();
    first.abort();
    assert!(first.await.is_err());
    assert_eq!(workers.run(ANYONE, || 2).await, Err(WorkersError::Busy));
    release.send(()).unwrap();
    let again = async {
        while workers.run(ANYONE, || 2).await.is_err() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_panic_of_a_job_reaches_only_its_caller() {
    let workers = Workers::new(1, 0);
    let asked = tokio::spawn({
        let workers = workers.clone();
        async move {
            workers
                .run(ANYONE, || {
                    if always() {
                        panic!("on purpose")
                    }
                })
                .await
        }
    });
    assert!(asked.await.unwrap_err().is_panic());
    assert_eq!(workers.run(ANYONE, || 2).await, Ok(2));
}

/// Returns true, in a way that hides the value from the compiler, which would otherwise report unreachable code.
fn always() -> bool {
    std::hint::black_box(true)
}
