//! The connection preface: recognises HTTP/2, and answers HTTP/1 with a readable error.
//!
//! Owns the first bytes of a connection. Must not know what follows them.

use bytes::{Buf, Bytes};
use pin_project_lite::pin_project;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of a TLS connection: the type of a record of the handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// The response to an HTTP/1 request, so that its client sees the reason.
pub(crate) const NOT_HTTP1: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\nconnection: close\r\n\r\nThis is a gRPC server: speak HTTP/2.\r\n";

/// The protocol that a client speaks.
pub(crate) enum Protocol {
    Http2,
    Http1,
    /// The client begins a TLS handshake.
    Tls,
    Other,
}

/// Reads as few bytes as identify the client's protocol, and returns the protocol with the bytes read.
pub(crate) async fn detect_protocol(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut seen = Vec::with_capacity(PREFACE.len());
    loop {
        let missing = PREFACE.len() - seen.len();
        if (&mut *stream).take(missing as u64).read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let protocol = match seen.as_slice() {
            PREFACE => Protocol::Http2,
            seen if PREFACE.starts_with(seen) => continue,
            seen if seen.first().is_some_and(u8::is_ascii_uppercase) => Protocol::Http1,
            [TLS_HANDSHAKE, ..] => Protocol::Tls,
            _ => Protocol::Other,
        };
        return Ok((protocol, seen.into()));
    }
}

pin_project! {
    /// A stream that replays the bytes already read from it.
    pub(crate) struct PrefixedStream<T> {
        prefix: Bytes,
        #[pin]
        stream: T,
    }
}

impl<T> PrefixedStream<T> {
    pub(crate) fn new(prefix: Bytes, stream: T) -> Self {
        Self { prefix, stream }
    }
}

impl<T: AsyncRead> AsyncRead for PrefixedStream<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.prefix.is_empty() {
            return this.stream.poll_read(cx, buffer);
        }
        let read = this.prefix.len().min(buffer.remaining());
        buffer.put_slice(this.prefix.get(..read).unwrap_or_default());
        this.prefix.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite> AsyncWrite for PrefixedStream<T> {
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
