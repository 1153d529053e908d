//! Tests of the write buffer: the order of the bytes, the limit of its size, and a peer that has closed.

#![allow(clippy::unwrap_used, reason = "a panic fails the test and names the line")]

use crate::transport::write_buffer::{BUFFER_BYTES, WriteBuffer};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const LARGE: usize = 8 * BUFFER_BYTES;

fn pair(capacity: usize) -> (WriteBuffer<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(capacity);
    (WriteBuffer::new(near, Arc::default()), far)
}

/// Sends the buffer; returns whether it is empty afterwards.
async fn send(near: &WriteBuffer<DuplexStream>) -> bool {
    poll_fn(|cx| Poll::Ready(near.poll_send(cx))).await.is_ready()
}

fn buffered(near: &WriteBuffer<DuplexStream>) -> (usize, usize) {
    near.with(|inner| (inner.buffered.len(), inner.buffered.capacity()))
}

#[tokio::test]
async fn writes_leave_together_and_in_order() {
    let (mut near, mut far) = pair(LARGE);
    for part in [b"one ", b"two ", b"end."] {
        near.write_all(part).await.unwrap();
        near.flush().await.unwrap();
    }
    assert_eq!(buffered(&near).0, 12);
    assert!(send(&near).await);
    assert_eq!(buffered(&near), (0, 0), "an idle connection holds memory");
    let mut seen = [0; 64];
    let count = far.read(&mut seen).await.unwrap();
    assert_eq!(seen.get(..count), Some(b"one two end.".as_slice()));
}

#[tokio::test]
async fn a_large_write_is_not_copied_and_does_not_overtake() {
    let (mut near, mut far) = pair(LARGE);
    near.write_all(b"before").await.unwrap();
    near.write_all(&vec![b'x'; BUFFER_BYTES + 1]).await.unwrap();
    assert_eq!(buffered(&near).0, 0);
    near.write_all(b"after").await.unwrap();
    near.shutdown().await.unwrap();
    let mut seen = Vec::new();
    far.read_to_end(&mut seen).await.unwrap();
    assert!(seen.starts_with(b"beforex") && seen.ends_with(b"xafter"));
    assert_eq!(seen.len(), 6 + BUFFER_BYTES + 1 + 5);
}

#[tokio::test]
async fn the_buffer_is_bounded_for_a_client_that_does_not_read() {
    let (mut near, mut far) = pair(1_000);
    let all: Vec<u8> = (0..LARGE).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
    let written = all.clone();
    let writer = tokio::spawn(async move {
        for part in written.chunks(700) {
            near.write_all(part).await.unwrap();
            assert!(buffered(&near).0 <= BUFFER_BYTES);
        }
        near.shutdown().await.unwrap();
    });
    tokio::task::yield_now().await;
    assert!(!writer.is_finished());
    let mut seen = Vec::new();
    far.read_to_end(&mut seen).await.unwrap();
    writer.await.unwrap();
    assert!(seen == all, "bytes are lost or out of order");
}

#[tokio::test]
async fn sending_to_a_closed_peer_is_an_error() {
    let (mut near, far) = pair(LARGE);
    near.write_all(b"to nobody").await.unwrap();
    drop(far);
    assert!(poll_fn(|cx| near.poll_send(cx)).await.is_err());
}
