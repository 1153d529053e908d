//! Waiting for room, and which answers end to make it.

use crate::error::ApiError;
use crate::middleware::account::answers::{LONGEST_WAIT, MAX_FINISHED, MAX_FINISHED_BYTES};
use crate::middleware::account::tests::{LIMITS, MIB, caller, open};
use crate::middleware::account::{CallAccount, CallBounds};
use bytes::Bytes;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn reserve(account: &CallAccount, bytes: usize) -> Result<(), ApiError> {
    account.reserve_answer(bytes, Instant::now() + LONGEST_WAIT).await
}

#[tokio::test]
async fn items_of_a_stream_add_up_until_a_part_contains_them() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let account = open(&connection, &caller("192.0.2.1"));
    let data = |bytes| Bytes::from(vec![0; bytes]);
    for bytes in [1000, 200, 300] {
        assert!(account.try_reserve_item(bytes));
    }
    assert_eq!(bounds.counts().answers, 1500);
    let part = account.part(data(1400)).await.unwrap();
    assert_eq!(bounds.counts().answers, 1400, "the items took less because they were compressed");
    // An item that had to wait has reserved its room like a whole answer.
    reserve(&account, 700).await.unwrap();
    assert!(account.try_reserve_item(700) && account.try_reserve_item(100));
    let more = account.part(data(800)).await.unwrap();
    assert_eq!(bounds.counts().answers, 2200);
    drop((part, more));
    assert_eq!(bounds.counts().answers, 0);
    assert!(!account.try_reserve_item(4 * MIB) && account.try_reserve_item(3 * MIB));
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_room_and_takes_what_is_given_back() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let (one, other, third) = (caller("192.0.2.1"), caller("192.0.2.2"), caller("192.0.2.3"));
    let held = [open(&connection, &one), open(&connection, &other)];
    reserve(&held[0], 3 * MIB).await.unwrap();
    reserve(&held[1], 3 * MIB).await.unwrap();
    let waiting = open(&connection, &third);
    let error = reserve(&waiting, 2 * MIB).await.unwrap_err();
    assert_eq!(error, ApiError::Overloaded, "nobody gave anything back");
    let more = open(&connection, &one);
    assert_eq!(reserve(&more, 64 * 1024 + 1).await, Err(ApiError::AnswersUnread { limit: 4 * MIB }));
    assert_eq!(reserve(&more, 64 * 1024).await, Ok(()), "the rest of the share is for small ones");
    let waits = tokio::spawn(async move { reserve(&waiting, 2 * MIB).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bounds.counts().waiting, 1);
    held[1].shrink_answer(0);
    waits.await.unwrap().unwrap();
    assert_eq!(bounds.counts().waiting, 0);
}

#[tokio::test]
async fn the_largest_answer_of_the_caller_with_most_ends_when_room_is_needed() {
    let bounds = CallBounds::new(LIMITS);
    let (connection, other_connection) = (bounds.connect(), bounds.connect());
    let (one, other) = (caller("192.0.2.1"), caller("192.0.2.2"));
    let sizes = [(&one, 1, 64 * 1024), (&one, 2, 3 * MIB - 64 * 1024), (&other, 3, 2 * MIB)];
    let mut sending = Vec::new();
    for (payer, name, bytes) in sizes {
        let account = open(&connection, payer);
        reserve(&account, bytes).await.unwrap();
        sending.push((name, tokio::spawn(async move { account.while_stuck(pending::<()>()).await })));
    }
    let account = open(&other_connection, &caller("192.0.2.3"));
    reserve(&account, 2 * MIB).await.unwrap();
    let ended: Vec<_> = sending.iter().filter(|(_, task)| task.is_finished()).map(|(name, _)| *name).collect();
    assert_eq!((ended, bounds.counts().evicted), (vec![2], 1));
    for (name, task) in sending {
        if name == 2 { assert_eq!(task.await.unwrap(), None) } else { task.abort() }
    }
}

#[tokio::test]
async fn a_slow_client_makes_room_for_calls_that_have_waited_and_a_fast_one_does_not() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let mut sending = Vec::new();
    for (address, bytes_at_a_time) in [("192.0.2.1", 32 * 1024), ("192.0.2.2", 128 * 1024)] {
        let account = open(&connection, &caller(address));
        let part = account.part(Bytes::from(vec![0; 3 * MIB])).await.unwrap();
        sending.push(tokio::spawn(async move {
            let reading = async {
                loop {
                    sleep(Duration::from_millis(100)).await;
                    account.note_sent(bytes_at_a_time);
                    account.note_progress();
                }
            };
            let ended = account.while_stuck(reading).await.is_none();
            drop(part);
            ended
        }));
    }
    sleep(Duration::from_millis(1500)).await;
    assert!(sending.iter().all(|task| !task.is_finished()), "nobody waits for room");
    let waiting = open(&connection, &caller("192.0.2.3"));
    let began = Instant::now();
    reserve(&waiting, 2 * MIB).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "slow clients may read while others wait for a second");
    let finished: Vec<_> = sending.iter().map(tokio::task::JoinHandle::is_finished).collect();
    assert_eq!((finished, bounds.counts().evicted), (vec![true, false], 1));
    sending.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn few_calls_wait_with_a_finished_answer() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let payers = [1, 2, 3, 4].map(|host| caller(&format!("192.0.2.{host}")));
    let held = [open(&connection, &payers[0]), open(&connection, &payers[1])];
    for account in &held {
        reserve(account, 3 * MIB).await.unwrap();
    }
    let mut waiting = Vec::new();
    for payer in &payers[2..] {
        for bytes in [MAX_FINISHED_BYTES, MAX_FINISHED_BYTES, MAX_FINISHED_BYTES + 1] {
            let account = open(&connection, payer);
            waiting.push(tokio::spawn(async move { account.reserve_finished(bytes).await }));
        }
    }
    sleep(Duration::from_millis(10)).await;
    assert_eq!(bounds.counts().waiting, MAX_FINISHED);
    let refused = waiting.iter().filter(|task| task.is_finished()).count();
    assert_eq!(refused, 4, "one of each caller waits, if it is not too large");
    let one_more = open(&connection, &caller("192.0.2.5"));
    assert_eq!(one_more.reserve_finished(MAX_FINISHED_BYTES).await, Err(ApiError::Overloaded), "all places are taken");
    assert_eq!(one_more.reserve_finished(1024).await, Ok(()), "there is room for small ones");
    drop(held);
    let mut results = Vec::new();
    for task in waiting {
        results.push(task.await.unwrap().is_ok());
    }
    assert_eq!(results, [true, false, false, true, false, false]);
    assert_eq!(one_more.reserve_finished(2 * MIB).await, Ok(()), "with room, the size does not matter");
}
