//! Coalesces the small writes of a connection into fewer system calls.
//!
//! h2 writes every DATA frame of 256 bytes or more separately, and flushes it before it takes the next one. A
//! connection with many calls therefore pays for many small writes, and a system call costs more than copying its
//! bytes. This module buffers writes until the connection has nothing more to do and ignores flushes; the owner of the
//! connection then sends the buffer. The buffer is small. While the connection waits, the buffer is empty, unless the
//! client does not read. Must not know what the bytes mean.
use crate::locks::lock;
use crate::middleware::progress::ConnectionState;
use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Size of the buffer, in bytes: several answers of usual size.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes that a connection reads in one step. Then it begins the calls that have arrived.
///
/// Without this limit, h2 would read for as long as bytes arrive, and keep all frames until then. A call that has
/// arrived and not begun takes up to [`HEADER_BYTES`](crate::middleware::account::HEADER_BYTES) for each byte of its
/// headers, which HTTP/2 compresses.
pub(crate) const STEP_BYTES: usize = 224;
/// Bytes that a connection reads in one turn, step by step. Then other tasks have a turn.
pub(super) const TURN_BYTES: usize = 2 * 1024;

/// A socket that buffers its writes until [`WriteBuffer::poll_send`]. Clones share the socket.
#[derive(Debug)]
pub(crate) struct WriteBuffer<T> {
    // The connection and its owner both use the socket, but in one task, so the lock is never contended.
    inner: Arc<Mutex<Inner<T>>>,
}

#[derive(Debug)]
struct Inner<T> {
    socket: T,
    buffered: BytesMut,
    last_read: Instant,
    /// Bytes read in this step.
    read: usize,
    /// Notes whether the client takes what is written.
    state: Arc<ConnectionState>,
}

impl<T> Clone for WriteBuffer<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T: AsyncWrite + Unpin> WriteBuffer<T> {
    pub(crate) fn new(socket: T, state: Arc<ConnectionState>) -> Self {
        let (buffered, last_read, read) = (BytesMut::new(), Instant::now(), 0);
        Self { inner: Arc::new(Mutex::new(Inner { socket, buffered, last_read, read, state })) }
    }

    /// Sends the buffered bytes.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| inner.poll_send(cx))
    }
}

impl<T> WriteBuffer<T> {
    /// Returns when the client last sent something; before that, when the connection was opened.
    pub(super) fn last_read(&self) -> Instant {
        self.with(|inner| inner.last_read)
    }

    /// Ends a step, and returns the bytes that were read in it. If they are [`STEP_BYTES`], more may have arrived.
    pub(super) fn end_step(&self) -> usize {
        self.with(|inner| std::mem::take(&mut inner.read))
    }

    fn with<R>(&self, work: impl FnOnce(&mut Inner<T>) -> R) -> R {
        work(&mut lock(&self.inner))
    }
}

impl<T: AsyncWrite + Unpin> Inner<T> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.buffered.has_remaining() {
            let Poll::Ready(written) = Pin::new(&mut self.socket).poll_write(cx, &self.buffered) else {
                return self.stuck();
            };
            self.state.progress.go_on();
            match written? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.buffered.advance(sent),
            }
        }
        // Free the buffer: there are many connections, and most of them are idle.
        self.buffered = BytesMut::new();
        // TLS may keep encrypted bytes until a flush.
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.state.progress.go_on();
                Poll::Ready(flushed)
            }
            Poll::Pending => self.stuck(),
        }
    }

    /// Notes that the client takes nothing at the moment.
    fn stuck<R>(&self) -> Poll<R> {
        if self.state.progress.stuck_for().is_zero() {
            self.state.progress.stop();
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WriteBuffer<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| {
            let rest = STEP_BYTES.saturating_sub(inner.read).min(buffer.remaining());
            if rest == 0 {
                // The owner of the connection goes on after the step.
                return Poll::Pending;
            }
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(rest));
            ready!(Pin::new(&mut inner.socket).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buffer.advance(read);
            inner.read += read;
            inner.last_read = Instant::now();
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WriteBuffer<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|inner| {
            let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
            if inner.buffered.len() + bytes > BUFFER_BYTES {
                ready!(inner.poll_send(cx))?;
            }
            if bytes > BUFFER_BYTES {
                // The buffer is empty, so writing past it keeps the order.
                let Poll::Ready(written) = Pin::new(&mut inner.socket).poll_write_vectored(cx, slices) else {
                    return inner.stuck();
                };
                inner.state.progress.go_on();
                return Poll::Ready(written);
            }
            if inner.buffered.capacity() == 0 {
                inner.buffered.reserve(BUFFER_BYTES);
            }
            slices.iter().for_each(|slice| inner.buffered.extend_from_slice(slice));
            Poll::Ready(Ok(bytes))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing, because the connection flushes after every frame; [`WriteBuffer::poll_send`] flushes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| {
            ready!(inner.poll_send(cx))?;
            Pin::new(&mut inner.socket).poll_shutdown(cx)
        })
    }
}

#[cfg(test)]
mod tests;
