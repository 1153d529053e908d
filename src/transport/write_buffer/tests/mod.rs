#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use crate::transport::write_buffer::{HELD_BYTES, WriteBuffer};
use std::future::poll_fn;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const MUCH: usize = 8 * HELD_BYTES;

fn pair(room: usize) -> (WriteBuffer<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(room);
    (WriteBuffer::new(near), far)
}

/// Whether all is sent.
async fn send(near: &WriteBuffer<DuplexStream>) -> bool {
    poll_fn(|cx| Poll::Ready(near.poll_send(cx))).await.is_ready()
}

fn held(near: &WriteBuffer<DuplexStream>) -> (usize, usize) {
    near.with(|inner| (inner.held.len(), inner.held.capacity()))
}

#[tokio::test]
async fn writes_leave_together_and_in_order() {
    let (mut near, mut far) = pair(MUCH);
    for part in [b"one ", b"two ", b"end."] {
        near.write_all(part).await.unwrap();
        near.flush().await.unwrap();
    }
    assert_eq!(held(&near).0, 12);
    assert!(send(&near).await);
    assert_eq!(held(&near), (0, 0), "an idle connection holds memory");
    let mut seen = [0; 64];
    let count = far.read(&mut seen).await.unwrap();
    assert_eq!(seen.get(..count), Some(b"one two end.".as_slice()));
}

#[tokio::test]
async fn a_large_write_is_not_copied_and_does_not_overtake() {
    let (mut near, mut far) = pair(MUCH);
    near.write_all(b"before").await.unwrap();
    near.write_all(&vec![b'x'; HELD_BYTES + 1]).await.unwrap();
    assert_eq!(held(&near).0, 0);
    near.write_all(b"after").await.unwrap();
    near.shutdown().await.unwrap();
    let mut seen = Vec::new();
    far.read_to_end(&mut seen).await.unwrap();
    assert!(seen.starts_with(b"beforex") && seen.ends_with(b"xafter"));
    assert_eq!(seen.len(), 6 + HELD_BYTES + 1 + 5);
}

#[tokio::test]
async fn no_more_is_held_than_is_said_for_who_does_not_read() {
    let (mut near, mut far) = pair(1_000);
    let all: Vec<u8> = (0..MUCH).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
    let written = all.clone();
    let writer = tokio::spawn(async move {
        for part in written.chunks(700) {
            near.write_all(part).await.unwrap();
            assert!(held(&near).0 <= HELD_BYTES);
        }
        near.shutdown().await.unwrap();
    });
    tokio::task::yield_now().await;
    assert!(!writer.is_finished());
    let mut seen = Vec::new();
    far.read_to_end(&mut seen).await.unwrap();
    writer.await.unwrap();
    assert!(seen == all, "something is lost or out of order");
}

#[tokio::test]
async fn a_peer_that_has_gone_is_an_error() {
    let (mut near, far) = pair(MUCH);
    near.write_all(b"to nobody").await.unwrap();
    drop(far);
    assert!(poll_fn(|cx| near.poll_send(cx)).await.is_err());
}
