//! What a connection says first: HTTP/2, or something else that is told why it is not served.

use bytes::{Buf, Bytes};
use pin_project_lite::pin_project;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// To clients of HTTP/1, so that they see more than a closed connection.
pub(crate) const NOT_HTTP1: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\nconnection: close\r\n\r\nThis is a gRPC server: speak HTTP/2.\r\n";

/// What a connection speaks.
pub(crate) enum First {
    Http2,
    Http1,
    Other,
}

/// Reads no more than tells what a connection speaks.
pub(crate) async fn first_words(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(First, Bytes)> {
    let mut seen = Vec::with_capacity(PREFACE.len());
    loop {
        let missing = PREFACE.len() - seen.len();
        if (&mut *stream).take(missing as u64).read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let first = match seen.as_slice() {
            PREFACE => First::Http2,
            seen if PREFACE.starts_with(seen) => continue,
            seen if seen.first().is_some_and(u8::is_ascii_uppercase) => First::Http1,
            _ => First::Other,
        };
        return Ok((first, seen.into()));
    }
}

pin_project! {
    /// A stream of which the first words were read, and are read again.
    pub(crate) struct Rewound<T> {
        first: Bytes,
        #[pin]
        stream: T,
    }
}

impl<T> Rewound<T> {
    pub(crate) fn new(first: Bytes, stream: T) -> Self {
        Self { first, stream }
    }
}

impl<T: AsyncRead> AsyncRead for Rewound<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.first.is_empty() {
            return this.stream.poll_read(cx, buffer);
        }
        let read = this.first.len().min(buffer.remaining());
        buffer.put_slice(this.first.get(..read).unwrap_or_default());
        this.first.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite> AsyncWrite for Rewound<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
