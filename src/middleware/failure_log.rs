//! Which failed calls have a log line of their own, so that no caller fills the log.
//!
//! A stranger can make thousands of calls fail in a second, and each line has several hundred bytes. Therefore only the
//! first few failures of each second are logged one by one: of each caller or address, and of all callers together whom
//! the server does not identify. The others are counted by reason, and one line at intervals says how many they were.
//! The metrics count all of them. At the level `debug`, every call is logged.
//!
//! Must not know why calls fail.

use crate::access::CallerKey;
use crate::locks::lock;
use crate::middleware::callers::CallerState;
use crate::middleware::clock::{PerSecond, uptime};
use crate::telemetry::CALL_TARGET;
use std::collections::BTreeMap;
use std::fmt::Write;

use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Failed calls of one caller, or of one address, that are logged one by one in each second.
///
/// More than a person can read, and with all fields at most about 5 KB.
pub const MAX_LINES_OF_CALLER: u64 = 10;
/// Failed calls of all callers whom the server does not identify that are logged one by one in each second.
///
/// An attacker with many addresses then writes at most about 25 KB in a second.
pub const MAX_LINES_OF_STRANGERS: u64 = 50;
/// Interval of the lines that count the other failed calls.
pub const SUMMARY_INTERVAL: Duration = Duration::from_secs(10);

/// Decides which failed calls are logged, and counts the others. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct FailureLog {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    strangers: PerSecond,
    /// Calls that were not logged since the last summary, by reason or status.
    others: Mutex<BTreeMap<&'static str, u64>>,
}

impl FailureLog {
    /// Whether a failed call has a line of its own. `caller` is `None` if the call fails before its caller is known.
    pub(super) fn may_log(&self, caller: Option<&CallerState>, reason: &'static str) -> bool {
        let second = uptime().as_secs();
        let is_known = caller.is_some_and(|caller| matches!(caller.key, CallerKey::Known(..)));
        let may_log = caller.is_none_or(|caller| caller.lines.add(second) <= MAX_LINES_OF_CALLER)
            && (is_known || self.inner.strangers.add(second) <= MAX_LINES_OF_STRANGERS);
        if !may_log {
            *lock(&self.inner.others).entry(reason).or_default() += 1;
        }
        may_log
    }

    /// Logs how many failed calls had no line of their own since this was last called, if any.
    pub(crate) fn summarize(&self) {
        let others = std::mem::take(&mut *lock(&self.inner.others));
        let calls: u64 = others.values().sum();
        if calls == 0 {
            return;
        }
        let mut reasons = String::new();
        for (reason, count) in &others {
            let comma = if reasons.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(reasons, "{comma}{reason}: {count}");
        }
        tracing::info!(
            target: CALL_TARGET,
            calls,
            reasons,
            "further calls were not answered; a caller has at most {MAX_LINES_OF_CALLER} lines a second, and the level \
             debug logs all"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureLog, MAX_LINES_OF_CALLER, MAX_LINES_OF_STRANGERS, PerSecond};
    use crate::locks::lock;
    use crate::middleware::callers::Callers;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn events_are_counted_by_second() {
        let events = PerSecond::default();
        assert_eq!([7, 7, 7, 8, 8, 20].map(|second| events.add(second)), [1, 2, 3, 1, 2, 1]);
    }

    #[test]
    fn one_address_and_all_strangers_have_few_lines_and_the_others_are_counted() {
        let (log, callers) = (FailureLog::default(), Callers::default());
        let lines = |last: u8, calls: u64| {
            let of_address = callers.of_address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
            (0..calls).filter(|_| log.may_log(Some(&of_address), "UNAUTHENTICATED")).count() as u64
        };
        // A test that runs during the change of a second sees the lines of both.
        let of_one = lines(1, 1_000);
        assert!((MAX_LINES_OF_CALLER..=2 * MAX_LINES_OF_CALLER).contains(&of_one), "{of_one}");
        let of_others: u64 = (2..=200).map(|last| lines(last, 10)).sum();
        assert!(of_one + of_others <= 2 * MAX_LINES_OF_STRANGERS, "{of_others}");
        let counted: u64 = lock(&log.inner.others).values().sum();
        assert_eq!(of_one + of_others + counted, 1_000 + 199 * 10);
        log.summarize();
        assert!(lock(&log.inner.others).is_empty());
    }
}
