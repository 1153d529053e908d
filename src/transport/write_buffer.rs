//! Coalesces the small writes of a connection into fewer system calls.
//!
//! h2 writes every DATA frame of 256 bytes or more separately, and flushes it before it takes the next one. A
//! connection with many calls therefore pays for many small writes, and a system call costs more than copying its
//! bytes. This module buffers writes until the connection has nothing more to do and ignores flushes; the owner of the
//! connection then sends the buffer. The buffer is small. While the connection waits, the buffer is empty, unless the
//! client does not read. Must not know what the bytes mean.
use crate::locks::lock;
use crate::middleware::progress::ConnectionState;
use crate::transport::incoming_frames::IncomingFrames;
use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Size of the buffer, in bytes: several answers of usual size.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes other than data that a connection reads in one step. Then it begins the calls that have arrived.
///
/// Without this limit, h2 would read for as long as bytes arrive, and keep all frames until then. A call that has
/// arrived and not begun takes up to [`HEADER_BYTES`](crate::middleware::account::HEADER_BYTES) for each byte of its
/// headers, which HTTP/2 compresses.
pub(crate) const STEP_BYTES: usize = 224;
/// Bytes that a connection reads in one turn, step by step. Then other tasks have a turn.
pub(crate) const TURN_BYTES: usize = 2 * 1024;

/// The numbers of bytes that a connection has read in one step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Bytes.
    pub(super) read: usize,
    /// Bytes other than data.
    pub(super) counted: usize,
}

impl Step {
    /// Whether the step has ended because it has read as much as it may, so that more may have arrived.
    pub(super) fn is_used_up(self) -> bool {
        self.counted >= STEP_BYTES || self.read >= TURN_BYTES
    }
}

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
    /// Bytes that were read from the socket and that h2 has not received yet.
    arrived: BytesMut,
    frames: IncomingFrames,
    step: Step,
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
        let (buffered, arrived, frames, step) = Default::default();
        let last_read = Instant::now();
        Self { inner: Arc::new(Mutex::new(Inner { socket, buffered, last_read, arrived, frames, step, state })) }
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

    /// Ends a step.
    pub(super) fn end_step(&self) -> Step {
        self.with(|inner| std::mem::take(&mut inner.step))
    }

    fn with<R>(&self, work: impl FnOnce(&mut Inner<T>) -> R) -> R {
        work(&mut lock(&self.inner))
    }
}

impl<T> Inner<T> {
    /// Copies as much of what has arrived as fits into the step and the buffer, and returns the number of bytes.
    fn hand_on(&mut self, arrived: &[u8], buffer: &mut ReadBuf<'_>) -> usize {
        let most = arrived.len().min(buffer.remaining()).min(TURN_BYTES - self.step.read);
        let fitting = arrived.get(..most).unwrap_or_default();
        let (taken, counted) = self.frames.take(fitting, STEP_BYTES - self.step.counted);
        buffer.put_slice(fitting.get(..taken).unwrap_or_default());
        self.step.read += taken;
        self.step.counted += counted;
        taken
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
            if inner.step.is_used_up() {
                // The owner of the connection goes on after the step.
                return Poll::Pending;
            }
            if inner.arrived.has_remaining() {
                let mut arrived = std::mem::take(&mut inner.arrived);
                let taken = inner.hand_on(&arrived, buffer);
                arrived.advance(taken);
                if arrived.has_remaining() {
                    inner.arrived = arrived;
                }
                return Poll::Ready(Ok(()));
            }
            let mut part = [MaybeUninit::uninit(); TURN_BYTES];
            let mut part = ReadBuf::uninit(&mut part);
            ready!(Pin::new(&mut inner.socket).poll_read(cx, &mut part))?;
            inner.last_read = Instant::now();
            let taken = inner.hand_on(part.filled(), buffer);
            inner.arrived.extend_from_slice(part.filled().get(taken..).unwrap_or_default());
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
