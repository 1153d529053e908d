//! The rooms and places that accounts take and give back.

use crate::error::ApiError;
use crate::middleware::account::{CallAccount, CallBounds, ConnectionAccount};
use crate::middleware::call_limits::{CallCounts, CallLimits, MAX_REFUSALS};
use crate::middleware::callers::{CallerState, Callers};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;

pub(super) const MIB: usize = 1024 * 1024;
pub(super) const LIMITS: CallLimits = CallLimits { calls: 16, requests: 8 * MIB, answers: 8 * MIB };

pub(super) fn caller(address: &str) -> Arc<CallerState> {
    Callers::default().of_address(address.parse().unwrap())
}

pub(super) fn open(connection: &ConnectionAccount, payer: &Arc<CallerState>) -> CallAccount {
    let account = connection.open();
    account.admit(payer.clone(), &HeaderMap::new()).unwrap();
    account
}

#[tokio::test]
async fn everything_is_given_back_when_the_last_clone_is_dropped() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let payer = caller("2001:db8::1");
    let account = open(&connection, &payer);
    let mut headers = HeaderMap::new();
    headers.insert("name", "value".parse().unwrap());
    account.receive(1000).unwrap();
    account.decode(1000, 5000).unwrap();
    assert!(account.try_reserve_answer(3000));
    assert_eq!(bounds.counts(), CallCounts { calls: 1, requests: 6000, answers: 3000, ..CallCounts::default() });
    account.forget_message();
    account.shrink_answer(2000);
    assert_eq!(bounds.counts(), CallCounts { calls: 1, requests: 1000, answers: 2000, ..CallCounts::default() });
    // The first part is paid from what is reserved, the second one from the room.
    let first = account.part(Bytes::from(vec![0; 1500])).await.unwrap();
    let parts = [first, account.part(Bytes::from(vec![0; 700])).await.unwrap()];
    assert_eq!(bounds.counts().answers, 2200);
    let slice = parts[0].slice(..1);
    drop(parts);
    assert_eq!(bounds.counts().answers, 1500, "a slice keeps its whole part");
    drop(slice);
    assert_eq!(bounds.counts().answers, 0);
    let clone = account.clone();
    drop(account);
    assert_eq!(bounds.counts().calls, 1);
    clone.forget_request();
    assert_eq!(bounds.counts().requests, 0);
    drop(clone);
    assert_eq!(bounds.counts(), CallCounts::default());
    let site = payer.site.as_ref().unwrap();
    for state in [&payer, site] {
        let counters = [&state.calls, &state.requests, &state.answers];
        assert_eq!(counters.map(|counter| counter.load(std::sync::atomic::Ordering::Relaxed)), [0; 3]);
    }
}

#[test]
fn a_caller_has_a_quarter_of_the_calls_and_refusals_have_a_limit_by_address() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let one = caller("192.0.2.1");
    let mut held: Vec<_> = (0..4).map(|_| open(&connection, &one)).collect();
    let refused = connection.open();
    assert_eq!(refused.admit(one.clone(), &HeaderMap::new()), Err(ApiError::TooManyCalls { limit: 4 }));
    drop(refused);
    held.pop();
    held.push(open(&connection, &one));
    let callers = Callers::default();
    let of_host = |host: usize| callers.of_address(format!("192.0.2.{host}").parse().unwrap());
    held.extend((2..4).flat_map(|host| (0..4).map(|_| open(&connection, &of_host(host))).collect::<Vec<_>>()));
    // The last quarter is for callers with few calls; of 16 calls, that is one.
    held.push(open(&connection, &of_host(4)));
    assert_eq!(connection.open().admit(of_host(4), &HeaderMap::new()), Err(ApiError::Overloaded));
    held.extend((5..8).map(|host| open(&connection, &of_host(host))));
    assert_eq!(bounds.counts().calls, 16);
    let address = caller("192.0.2.9");
    let refused: Vec<_> = (0..MAX_REFUSALS).map(|_| connection.open()).collect();
    for account in &refused {
        assert_eq!(account.admit(address.clone(), &HeaderMap::new()), Err(ApiError::Overloaded));
        assert!(account.count_refusal(&address));
    }
    let one_more = connection.open();
    assert!(!one_more.count_refusal(&address), "the call must be reset");
    assert!(one_more.count_refusal(&caller("192.0.2.10")), "other addresses are not affected");
    assert!(held[0].count_refusal(&address), "an admitted call is no refusal");
    drop(refused);
    assert!(connection.open().count_refusal(&address));
    held.clear();
    assert_eq!(bounds.counts(), CallCounts::default());
}

#[test]
fn a_site_has_the_shares_of_two_callers() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let callers = Callers::default();
    let hosts = ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:1::1"];
    let [first, second, third, elsewhere] = hosts.map(|host| callers.of_address(host.parse().unwrap()));
    let _held: Vec<_> = (0..8).map(|at| open(&connection, if at % 2 == 0 { &first } else { &second })).collect();
    let account = connection.open();
    assert_eq!(account.admit(third, &HeaderMap::new()), Err(ApiError::TooManyCalls { limit: 4 }));
    assert_eq!(account.admit(elsewhere, &HeaderMap::new()), Ok(()));
}

#[test]
fn large_requests_leave_room_for_small_ones_and_one_caller_leaves_half() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let (one, other, third) = (caller("192.0.2.1"), caller("192.0.2.2"), caller("192.0.2.3"));
    let held = [open(&connection, &one), open(&connection, &one), open(&connection, &other)];
    held[0].decode(0, 3 * MIB).unwrap();
    assert_eq!(held[1].decode(0, 64 * 1024 + 1), Err(ApiError::Overloaded), "the rest of the share is for small ones");
    held[1].decode(0, 64 * 1024).unwrap();
    held[2].decode(0, 3 * MIB - 64 * 1024).unwrap();
    let account = open(&connection, &third);
    assert_eq!(account.decode(0, 64 * 1024 + 1), Err(ApiError::Overloaded), "the last quarter is for small ones");
    account.decode(0, 64 * 1024).unwrap();
}

#[test]
fn a_stream_of_many_small_messages_does_not_take_more_and_more() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let account = open(&connection, &caller("192.0.2.1"));
    for _ in 0..1_000_000 {
        // Each message has a prefix of five bytes.
        account.receive(105).unwrap();
        account.decode(100, 50).unwrap();
        account.forget_message();
    }
    assert!(bounds.counts().requests <= 2 * 105, "{:?}", bounds.counts());
}

#[test]
fn a_buffer_is_paid_once_for_its_largest_size() {
    let bounds = CallBounds::new(LIMITS);
    let connection = bounds.connect();
    let account = open(&connection, &caller("192.0.2.1"));
    for (arrives, decoded, expected) in [(1000, 1000, 1000), (400, 400, 1000), (1500, 1500, 1500), (10, 7000, 7000)] {
        account.receive(arrives).unwrap();
        account.decode(decoded, 50).unwrap();
        account.forget_message();
        assert_eq!(bounds.counts().requests, expected);
    }
}
