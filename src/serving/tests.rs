//! The limits of the workers: running and waiting jobs, callers that leave, and jobs that panic.

use crate::serving::{Workers, WorkersError};
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_job_beyond_the_running_and_waiting_ones_is_refused() {
    let workers = Workers::new(1, 1);
    let (release, held) = mpsc::channel::<()>();
    let first = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(move || held.recv().is_ok()).await }
    });
    let second = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(|| 2).await }
    });
    // Wait until both jobs are admitted.
    while workers.admitted.available_permits() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(workers.run(|| 3).await, Err(WorkersError::Busy));
    // A waiting job is dropped with its caller, and its permit is free again.
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let third = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(|| 3).await }
    });
    release.send(()).unwrap();
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap(), Ok(true));
    assert_eq!(timeout(PATIENCE, third).await.unwrap().unwrap(), Ok(3));
    assert_eq!(workers.admitted.available_permits(), 2);
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
        async move { workers.run(job).await }
    });
    timeout(PATIENCE, begins).await.unwrap().unwrap();
    first.abort();
    assert!(first.await.is_err());
    assert_eq!(workers.run(|| 2).await, Err(WorkersError::Busy));
    release.send(()).unwrap();
    let again = async {
        while workers.run(|| 2).await.is_err() {
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
                .run(|| {
                    if always() {
                        panic!("on purpose")
                    }
                })
                .await
        }
    });
    assert!(asked.await.unwrap_err().is_panic());
    assert_eq!(workers.run(|| 2).await, Ok(2));
}

/// Returns true, in a way that hides the value from the compiler, which would otherwise report unreachable code.
fn always() -> bool {
    std::hint::black_box(true)
}
