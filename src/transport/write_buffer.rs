//! What a connection writes in one go leaves in one go.
//!
//! h2 writes every DATA frame of 256 bytes or more by itself, and has it flushed before it takes the next one. A
//! connection with many calls so pays for many small writes, and a write is dearer than copying what it writes. Here
//! writes are held until the connection has nothing more to do, and flushes don't count; its owner then sends what is
//! held. A little is held at most, and only between two writes: a connection that waits holds nothing, unless its
//! client doesn't read.

use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is held at most: several answers of a usual size.
const HELD_BYTES: usize = 32 * 1024;

/// A socket whose writes are held until [`WriteBuffer::poll_send`]. Clones are the same socket.
#[derive(Debug)]
pub(crate) struct WriteBuffer<T> {
    // One task uses it, so that nobody ever waits; but two of its parts do, the connection and its owner.
    inner: Arc<Mutex<Inner<T>>>,
}

#[derive(Debug)]
struct Inner<T> {
    socket: T,
    held: BytesMut,
}

impl<T> Clone for WriteBuffer<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T: AsyncWrite + Unpin> WriteBuffer<T> {
    pub(crate) fn new(socket: T) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { socket, held: BytesMut::new() })) }
    }

    /// Sends what is held.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| inner.poll_send(cx))
    }
}

impl<T> WriteBuffer<T> {
    fn with<R>(&self, work: impl FnOnce(&mut Inner<T>) -> R) -> R {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: AsyncWrite + Unpin> Inner<T> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.has_remaining() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.held.advance(sent),
            }
        }
        // Connections are many, and most of them are idle.
        self.held = BytesMut::new();
        // Under TLS what was written may be kept, encrypted, until it is flushed.
        Pin::new(&mut self.socket).poll_flush(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WriteBuffer<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| Pin::new(&mut inner.socket).poll_read(cx, buffer))
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
            if inner.held.len() + bytes > HELD_BYTES {
                ready!(inner.poll_send(cx))?;
            }
            if bytes > HELD_BYTES {
                // Nothing is held any more that it could overtake.
                return Pin::new(&mut inner.socket).poll_write_vectored(cx, slices);
            }
            if inner.held.capacity() == 0 {
                inner.held.reserve(HELD_BYTES);
            }
            slices.iter().for_each(|slice| inner.held.extend_from_slice(slice));
            Poll::Ready(Ok(bytes))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing: the connection asks for it after every frame.
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
