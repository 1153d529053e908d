//! Pings that tell whether the client of a silent connection is still there.
//!
//! Must not know what a connection carries.

use h2::{Ping, PingPong};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Sends a ping when the client has sent nothing for a time, and waits for the answer.
pub(super) struct Keepalive {
    pings: PingPong,
    interval: Duration,
    timeout: Duration,
    is_ping_open: bool,
    // Until the next ping is due or, while one is open, until its answer must have arrived.
    timer: Pin<Box<Sleep>>,
}

impl Keepalive {
    pub(super) fn new(pings: PingPong, interval: Duration, timeout: Duration) -> Self {
        let timer = Box::pin(sleep_until(Instant::now() + interval));
        Self { pings, interval, timeout, is_ping_open: false, timer }
    }

    /// Completes when the client has not answered a ping in time. The client last sent something at `last_read`.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>, last_read: Instant) -> Poll<()> {
        loop {
            if self.is_ping_open {
                if self.pings.poll_pong(cx).is_pending() {
                    return self.timer.as_mut().poll(cx);
                }
                self.is_ping_open = false;
                self.timer.as_mut().reset(last_read + self.interval);
            }
            ready!(self.timer.as_mut().poll(cx));
            let (now, due) = (Instant::now(), last_read + self.interval);
            let next = if due > now {
                due
            } else {
                // Sending fails only on a connection that has failed, which the connection itself reports.
                self.is_ping_open = self.pings.send_ping(Ping::opaque()).is_ok();
                now + self.timeout
            };
            self.timer.as_mut().reset(next);
        }
    }
}
