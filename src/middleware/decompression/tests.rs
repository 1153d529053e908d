//! Which messages wait, and until when.

use super::*;
use crate::middleware::account::{CallBounds, ConnectionAccount};
use crate::middleware::callers::{CallerState, Callers};
use crate::middleware::decompression_turn::in_all;
use futures_util::FutureExt;
use http::HeaderMap;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::task::yield_now;

/// A body whose parts have arrived.
struct Arrived(VecDeque<Bytes>);

impl Body for Arrived {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

type TestBody = InTurns<Arrived>;

fn caller(address: &str) -> Arc<CallerState> {
    Callers::default().of_address(address.parse().unwrap())
}

/// A message as it arrives: its prefix and `length` bytes.
fn message(length: u8) -> Vec<u8> {
    [&[1, 0, 0, 0, length][..], &vec![length; usize::from(length)]].concat()
}

/// A compressed request whose body arrives in parts of `part` bytes.
fn compressed(connection: &ConnectionAccount, payer: &Arc<CallerState>, body: &[u8], part: usize) -> TestBody {
    let account = connection.open();
    account.admit(payer.clone(), &HeaderMap::new()).unwrap();
    let mut request = Request::new(Arrived(body.chunks(part).map(Bytes::copy_from_slice).collect()));
    request.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    request.extensions_mut().insert(account);
    in_turns(request).into_body()
}

/// Reads on; `None` if the message waits for its turn, and otherwise its bytes, of which there are none at the end.
async fn read(body: &mut TestBody) -> Option<Vec<u8>> {
    // Begins anew what tokio lets a task do in one go.
    yield_now().await;
    let mut once = || poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).now_or_never();
    // A message that has its turn lets other tasks run before it.
    let frame = once().or_else(once)?;
    Some(frame.map_or_else(Vec::new, |frame| frame.unwrap().into_data().unwrap().to_vec()))
}

#[tokio::test]
async fn messages_keep_their_bytes_however_they_arrive() {
    let (bounds, payer) = (CallBounds::default(), caller("192.0.2.1"));
    let connection = bounds.connect();
    let messages = [message(3), message(0), message(200), message(1)];
    let all = messages.concat();
    for part in 1..all.len() + 1 {
        let mut body = compressed(&connection, &payer, &all, part);
        let mut handed_on = Vec::new();
        let mut ends = Vec::new();
        while !body.is_end_stream() {
            handed_on.extend(read(&mut body).await.expect("no other message has the turn"));
            ends.push(handed_on.len());
        }
        assert_eq!(handed_on, all, "in parts of {part}");
        let mut end = 0;
        for message in &messages {
            end += message.len();
            assert!(ends.contains(&end), "no two messages are handed on together, in parts of {part}: {ends:?}");
        }
    }
}

#[tokio::test]
async fn one_message_of_a_caller_is_decompressed_at_a_time() {
    let (bounds, payer) = (CallBounds::default(), caller("192.0.2.1"));
    let connection = bounds.connect();
    let [mut first, mut second] = [1, 2].map(|_| compressed(&connection, &payer, &message(10), 8));
    for body in [&mut first, &mut second] {
        assert_eq!(read(body).await.unwrap().len(), 8, "the beginning of a message needs no turn");
    }
    assert_eq!(read(&mut first).await.unwrap().len(), 7);
    assert_eq!(read(&mut second).await, None);
    assert_eq!(read(&mut first).await, Some(Vec::new()));
    assert_eq!(read(&mut second).await.unwrap().len(), 7, "the first one was decompressed");
}

#[tokio::test]
async fn a_call_that_ends_gives_its_turn_back() {
    let (bounds, payer) = (CallBounds::default(), caller("192.0.2.1"));
    let connection = bounds.connect();
    let [mut first, mut second, mut third] = [1, 2, 3].map(|_| compressed(&connection, &payer, &message(10), 100));
    assert!(read(&mut first).await.is_some());
    assert!(read(&mut second).await.is_none() && read(&mut third).await.is_none());
    // It has waited, and ends without a turn.
    drop(second);
    drop(first);
    assert!(read(&mut third).await.is_some());
}

#[tokio::test]
async fn callers_take_turns() {
    let bounds = CallBounds::default();
    let connection = bounds.connect();
    let (busy, other) = (caller("192.0.2.1"), caller("192.0.2.2"));
    let mut of_busy: Vec<_> = (0..20).map(|_| compressed(&connection, &busy, &message(10), 100)).collect();
    // Takes all turns but one, which the busy caller has.
    let others: Vec<_> = (3..2 + in_all()).map(|at| caller(&format!("192.0.2.{at}"))).collect();
    let mut taken: Vec<_> = others.iter().map(|other| compressed(&connection, other, &message(10), 100)).collect();
    for body in &mut taken {
        assert!(read(body).await.is_some());
    }
    assert!(read(&mut of_busy[0]).await.is_some());
    for body in of_busy.iter_mut().skip(1) {
        assert!(read(body).await.is_none());
    }
    let mut of_other = compressed(&connection, &other, &message(10), 100);
    assert!(read(&mut of_other).await.is_none());
    // The second message of the busy caller is first in line for the turn of its caller only.
    of_busy.remove(0);
    assert!(read(&mut of_other).await.is_some(), "before the other messages of the busy caller");
    assert!(read(&mut of_busy[0]).await.is_none());
}

#[tokio::test]
async fn requests_without_an_encoding_do_not_wait() {
    let (bounds, payer) = (CallBounds::default(), caller("192.0.2.1"));
    let connection = bounds.connect();
    let _turn = {
        let mut body = compressed(&connection, &payer, &message(10), 100);
        assert!(read(&mut body).await.is_some());
        body
    };
    let mut request = Request::new(Arrived(VecDeque::new()));
    let account = connection.open();
    account.admit(payer, &HeaderMap::new()).unwrap();
    request.extensions_mut().insert(account);
    request.headers_mut().insert("grpc-encoding", "identity".parse().unwrap());
    assert!(in_turns(request).into_body().messages.is_none());
}

#[tokio::test]
async fn messages_that_are_not_compressed_do_not_wait_although_their_request_has_an_encoding() {
    let (bounds, payer) = (CallBounds::default(), caller("192.0.2.1"));
    let connection = bounds.connect();
    let mut first = compressed(&connection, &payer, &message(10), 100);
    assert!(read(&mut first).await.is_some());
    let plain = [&[0], &message(10)[1..]].concat();
    let mut second = compressed(&connection, &payer, &[plain, message(10)].concat(), 100);
    assert!(read(&mut second).await.is_some());
    assert!(read(&mut second).await.is_none(), "the next message is compressed");
}
