//! The kernel's buffers of accepted connections, and of those of a listener without the limit.

use super::{SOCKET_BUFFER_BYTES, bound_buffers};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

/// Returns the bytes that a connection takes from the server while its client reads nothing.
async fn unread_bytes(is_bounded: bool) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if is_bounded {
        bound_buffers(&listener);
    }
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4 * 1024).unwrap();
    let _client = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_millis(300), server.write(&[0; 4096])).await {
        taken += written.unwrap();
    }
    taken
}

#[tokio::test]
async fn the_kernel_keeps_little_for_a_client_that_does_not_read() {
    let (bounded, unbounded) = (unread_bytes(true).await, unread_bytes(false).await);
    assert!(bounded <= 3 * SOCKET_BUFFER_BYTES && bounded < unbounded, "{bounded}, {unbounded}");
}
