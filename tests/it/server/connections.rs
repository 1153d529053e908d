//! The life of a connection: handshake timeout, keepalive and maximum age, with tokio's clock paused and advanced.

use crate::support::Server;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const MINUTE: u64 = 60;

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_complete_preface_is_closed() {
    let server = Server::start().await;
    for words in [&b""[..], b"PRI * HTTP/2"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(words).await.unwrap();
        let begun = Instant::now();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        // The default handshake timeout.
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_pings_is_closed() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let begun = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    // The default keepalive interval of 60 s, and then the default keepalive timeout of 20 s.
    assert_eq!(begun.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn old_connections_are_closed_at_staggered_times() {
    let server = Server::start().await;
    let begun = Instant::now();
    let mut ages = Vec::new();
    for _ in 0..5 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        ages.push(tokio::spawn(async move {
            connection.await.unwrap();
            drop(send);
            begun.elapsed()
        }));
    }
    let mut seen = std::collections::BTreeSet::new();
    for age in ages {
        let age = age.await.unwrap();
        // The default maximum age is 30 minutes, and varies by a tenth.
        assert!((27 * MINUTE..=33 * MINUTE).contains(&age.as_secs()), "{age:?}");
        seen.insert(age.as_secs());
    }
    assert!(seen.len() > 1, "{seen:?}");
    assert!(begun.elapsed() > Duration::from_secs(27 * MINUTE));
}
