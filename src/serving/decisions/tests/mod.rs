//! The decision log: sampling, the end of the log, slow readers, memory, and reports.

mod files;
mod masks;

use super::*;
use crate::serving::decisions::batch::{Batch, Sink};
use crate::serving::decisions::file::{AppendOnlySink, LogFile, WriteBytes};
use crate::serving::decisions::lines::{FaultReport, UnreportedFaults, WARNING_INTERVAL};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

const LONG: Duration = Duration::from_secs(20);

/// A temporary folder of one test, deleted when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("detente-decisions-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("decisions.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn settings(path: &Path) -> DecisionSettings {
    DecisionSettings::to(DecisionTarget::File(path.to_owned()))
}

fn started(sink: impl Sink + 'static, most: usize) -> DecisionLog {
    DecisionLog::start("a test".to_owned(), Box::new(sink), 1.0, Vec::new(), most).unwrap()
}

fn offer(log: &DecisionLog, number: usize) {
    log.offer(move || json!({"time": "2026-11-23T12:00:00.123456Z", "request_id": number}));
}

/// Waits until `lines` lines are counted as written, dropped or failed.
fn settle(log: &DecisionLog, lines: u64) {
    let begun = Instant::now();
    let accounted = || {
        let counts = log.counts();
        counts.written + counts.dropped + counts.failed
    };
    while accounted() < lines {
        assert!(begun.elapsed() < LONG, "{:?}", log.counts());
        thread::sleep(Duration::from_millis(1));
    }
}

/// The numbers in a file, each of whose lines must be complete.
fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a torn line in {}", path.display());
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["request_id"].as_u64().unwrap()).collect()
}

fn written(written: u64) -> DecisionCounts {
    DecisionCounts { written, ..DecisionCounts::default() }
}

#[test]
fn sampling_keeps_about_its_share_and_counts_the_rest() {
    for (share, least, most) in [(0.0, 0, 0), (0.3, 29_000, 31_000), (1.0, 100_000, 100_000)] {
        let sampling = Sampling::new(share).unwrap();
        let wanted = (0..100_000).filter(|_| sampling.wants()).count();
        assert!((least..=most).contains(&wanted), "{share}: {wanted}");
        assert_eq!(sampling.left_out.load(Relaxed), 100_000 - wanted as u64);
    }
    for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(Sampling::new(share).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let folder = Folder::new("sampled");
    let log = DecisionLog::open(DecisionSettings { sample: 0.0, ..settings(&folder.log()) }).unwrap();
    assert!(!log.wants() && !log.clone().wants());
    assert_eq!(log.counts(), DecisionCounts { left_out: 2, ..DecisionCounts::default() });
}

#[test]
fn shutdown_writes_the_queued_lines_and_accepts_no_more() {
    let folder = Folder::new("end");
    let log = DecisionLog::open(settings(&folder.log())).unwrap();
    (0..1000).for_each(|number| offer(&log, number));
    log.end(LONG);
    assert_eq!(numbers(&folder.log()), (0..1000).collect::<Vec<_>>());
    offer(&log, 1000);
    log.end(LONG);
    assert_eq!(log.counts(), DecisionCounts { dropped: 1, ..written(1000) });
    // Dropping the last clone, and only the last, ends the log, too.
    let log = DecisionLog::open(settings(&folder.log())).unwrap();
    drop(log.clone());
    offer(&log, 1000);
    drop(log);
    assert_eq!(numbers(&folder.log()).len(), 1001);
}

#[test]
fn a_blocked_reader_does_not_delay_calls() {
    let (reader, pipe) = io::pipe().unwrap();
    let log = started(AppendOnlySink::new(pipe), 64);
    let long = "x".repeat(1000);
    let mut slowest = Duration::ZERO;
    for _ in 0..5000 {
        let (begun, long) = (Instant::now(), long.clone());
        log.offer(move || json!({ "request": long }));
        slowest = slowest.max(begun.elapsed());
        thread::sleep(Duration::from_micros(20));
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let before = log.counts();
    assert!(before.written < 200 && before.dropped > 1000, "{before:?}");
    let begun = Instant::now();
    log.end(Duration::from_millis(100));
    let ended = log.counts();
    assert_eq!(ended.written + ended.dropped + ended.failed, 5000, "{ended:?}");
    drop(log);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Only now can the log's thread go on: the lines that it was writing are counted already.
    drop(reader);
}

#[test]
fn lines_for_a_closed_pipe_count_as_failed() {
    let (reader, pipe) = io::pipe().unwrap();
    let log = started(AppendOnlySink::new(pipe), 64);
    offer(&log, 1);
    settle(&log, 1);
    drop(reader);
    (0..10).for_each(|number| offer(&log, number));
    log.end(LONG);
    assert_eq!(log.counts(), DecisionCounts { failed: 10, ..written(1) });
}

#[test]
fn the_memory_of_waiting_lines_is_bounded() {
    let (_reader, pipe) = io::pipe().unwrap();
    let log = started(AppendOnlySink::new(pipe), 4096);
    // The thread takes no line while it creates the first one.
    let (release, held) = mpsc::channel::<()>();
    log.offer(move || json!(held.recv().is_ok()));
    thread::sleep(Duration::from_millis(100));
    let half = MAX_HELD_BYTES / 2;
    for bytes in [half, half, 1, 0, usize::MAX] {
        log.offer_holding(bytes, || json!({}));
    }
    assert_eq!(log.counts().dropped, 2);
    release.send(()).unwrap();
    settle(&log, 6);
    log.offer_holding(half, || json!({}));
    log.end(LONG);
    assert_eq!(log.counts(), DecisionCounts { dropped: 2, ..written(5) });
}

#[test]
fn a_line_that_panics_fails_alone() {
    let folder = Folder::new("made");
    let log = DecisionLog::open(settings(&folder.log())).unwrap();
    offer(&log, 1);
    log.offer(|| panic!("on purpose"));
    // The line owns the last clone of its log.
    let own = log.clone();
    log.offer(move || json!({"request_id": own.counts().dropped}));
    log.end(LONG);
    assert_eq!(log.counts(), DecisionCounts { failed: 1, ..written(2) });
    assert_eq!(numbers(&folder.log()), [1, 0]);

    let log = DecisionLog::open(settings(&folder.log())).unwrap();
    let (own, begun) = (log.clone(), Instant::now());
    let (done, ended) = mpsc::channel();
    log.offer(move || {
        thread::sleep(Duration::from_millis(50));
        drop(own);
        done.send(()).unwrap();
        json!({})
    });
    drop(log);
    ended.recv_timeout(LONG).unwrap();
    assert!(begun.elapsed() < DROP_TIMEOUT, "the log waited for its own thread");
}

#[test]
fn a_line_that_is_too_long_lacks_its_request() {
    let mut batch = Batch::default();
    let long = "é".repeat(MAX_LINE_BYTES);
    batch.push(json!({"time": "t", "caller": "me", "crossed": [{"red_line": "x"}], "request": {"x": long}})).unwrap();
    batch.push(json!({"time": "t", "caller": long, "request": {}})).unwrap();
    batch.push(json!({"request_id": 1})).unwrap();
    let text = String::from_utf8(batch.bytes(0..3).to_vec()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let why = lines[0]["left_out"].as_str().unwrap();
    assert!(why.starts_with("the line would have 2097") && why.ends_with("; the limit is 1048576"), "{why}");
    assert_eq!((&lines[0]["caller"], &lines[0]["crossed"][0]["red_line"]), (&json!("me"), &json!("x")));
    assert!(lines[0].get("request").is_none() && lines[1].get("caller").is_none());
    assert_eq!(lines[2], json!({"request_id": 1}));
    assert_eq!(batch.len(), 3);
}

#[test]
fn faults_are_reported_at_once_and_then_at_intervals() {
    let counts = |failed, dropped| DecisionCounts { failed, dropped, ..DecisionCounts::default() };
    let mut faults = UnreportedFaults::default();
    let begun = Instant::now();
    assert_eq!(faults.due(begun, counts(0, 0)), None);
    faults.note("full".to_owned());
    let first = FaultReport { failed: 1, dropped: 0, fault: Some("full".to_owned()) };
    assert_eq!(faults.due(begun, counts(1, 0)), Some(first));
    for second in 1..10 {
        faults.note("full".to_owned());
        assert_eq!(faults.due(begun + Duration::from_secs(second), counts(second, 3)), None);
    }
    let second = FaultReport { failed: 8, dropped: 3, fault: Some("full".to_owned()) };
    assert_eq!(faults.due(begun + WARNING_INTERVAL, counts(9, 3)), Some(second));
    assert_eq!(faults.due(begun + 3 * WARNING_INTERVAL, counts(9, 3)), None);
}
