//! Names that dashboards, alerts, traces and log filters use: metrics and their labels, log targets and their fields.

use crate::contracts::decisions;
use crate::contracts::errors::refused;
use crate::contracts::golden::{assert_golden, assert_same};
use crate::contracts::wire::call;
use crate::support::PATIENCE;
use crate::support::binary::Folder;
use crate::support::credentials::{Authorities, Signer, entry, jwks};
use crate::support::program::Program;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Labels whose values may change, so that the golden file does not contain them.
const FREE_LABELS: [&str; 3] = ["le", "revision", "version"];
/// The bytes with which a client opens an HTTP/2 connection: the preface and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A metric: its type, and the values of its labels.
#[derive(Default)]
struct Metric {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// Metrics by name, gathered from several servers.
#[derive(Default)]
struct Metrics(BTreeMap<String, Metric>);

impl Metrics {
    /// Adds the metrics that Prometheus would scrape from a server's admin listener.
    async fn add(&mut self, program: &Program) {
        let mut stream = TcpStream::connect(admin(program)).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        for line in text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                kind.trim().clone_into(&mut self.0.entry(name.to_owned()).or_default().kind);
            }
            let Some((name, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) else { continue };
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = base.filter(|base| self.0.contains_key(*base)).unwrap_or(name);
            let metric = self.0.get_mut(name).unwrap_or_else(|| panic!("{line} has no type"));
            for label in labels.rsplit_once('}').unwrap().0.split("\",") {
                let (label, value) = label.split_once("=\"").unwrap();
                let values = metric.labels.entry(label.to_owned()).or_default();
                if !FREE_LABELS.contains(&label) {
                    values.insert(value.trim_end_matches('"').to_owned());
                }
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, metric) in &self.0 {
            let _ = writeln!(text, "{name} ({})", metric.kind);
            for (label, values) in &metric.labels {
                let _ = writeln!(text, "  {label}");
                values.iter().for_each(|value| {
                    let _ = writeln!(text, "    {value}");
                });
            }
        }
        text
    }
}

/// The address of the admin listener, read from the server's log.
fn admin(program: &Program) -> String {
    let log = program.log.lock().unwrap();
    let line = log.iter().find_map(|line| line.split_once("admin listener on ")).expect("the admin listener is logged");
    line.1.split_once(": ").unwrap().0.to_owned()
}

/// Sends bytes on a new connection, and waits until the server closes the connection, but at most for `patience`.
async fn exchange(program: &Program, words: &[u8], patience: Duration) {
    let mut stream = TcpStream::connect(program.address).await.unwrap();
    stream.write_all(words).await.unwrap();
    let _ = tokio::time::timeout(patience, stream.read_to_end(&mut Vec::new())).await;
}

/// Waits until the server has counted a connection that ended, or was refused, for this reason.
async fn counted(program: &Program, reason: &str) {
    let is_counted = async |program: &Program| {
        let mut metrics = Metrics::default();
        metrics.add(program).await;
        metrics.text().contains(&format!("    {reason}\n"))
    };
    program.until(reason, is_counted).await;
}

/// The metrics of servers with a cache of this size, after calls of every kind and connections that end in several
/// ways.
async fn metrics(cache: &str) -> Metrics {
    let folder = Folder::new(&format!("contracts-metrics-{cache}"));
    let file = |name: &str| folder.0.join(name).display().to_string();
    let mut all = Metrics::default();
    let common = ["--cache", cache, "--admin-listen", "127.0.0.1:0"];

    let decision_log = file("decisions.jsonl");
    let program = Program::start(&[&common[..], &["--decision-log", &decision_log]].concat());
    let client = program.client().await;
    for (method, messages) in decisions::calls() {
        call(&client, method, &[], &messages).await;
    }
    for (method, message) in refused() {
        call(&client, method, &[], &[message]).await;
    }
    client.call("/no.such/Method", &[], vec![]).await;
    drop(client);
    all.add(&program).await;

    let waits = ["--handshake-timeout", "1s", "--keepalive-interval", "1s", "--keepalive-timeout", "1s"];
    let program = Program::start(&[&common[..], &waits].concat());
    drop(TcpStream::connect(program.address).await.unwrap());
    exchange(&program, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", PATIENCE).await;
    // A SETTINGS frame with an invalid length.
    exchange(&program, &[PREFACE, b"\0\0\x01\x04\0\0\0\0\0\0"].concat(), PATIENCE).await;
    // The client makes a call before it disconnects, because a connection without a call may count as lost.
    let client = program.client().await;
    client.call("/no.such/Method", &[], vec![]).await;
    drop(client);
    let silent = exchange(&program, b"PRI", PATIENCE);
    let lifeless = exchange(&program, PREFACE, PATIENCE);
    tokio::join!(silent, lifeless);
    for reason in ["lost", "silent", "not_http2", "left", "broken", "keepalive"] {
        counted(&program, reason).await;
    }
    all.add(&program).await;

    let server = Authorities::new("contracts").server();
    let (certificate, key) = (folder.write("server.pem", &server.certificate), folder.write("server.key", &server.key));
    let tls = ["--tls-cert", &certificate, "--tls-key", &key, "--max-connections", "1"];
    let program = Program::start(&[&common[..], &tls].concat());
    exchange(&program, b"GET / HTTP/1.1\r\n\r\n", PATIENCE).await;
    let held = TcpStream::connect(program.address).await.unwrap();
    program.until("the connection limit is reached", async |program| program.logged("connection limit reached")).await;
    counted(&program, "tls").await;
    // A newcomer takes the place of the silent connection.
    let newcomer = TcpStream::connect(program.address).await.unwrap();
    counted(&program, "displaced").await;
    all.add(&program).await;
    drop((held, newcomer));

    let program = Program::start(&[&common[..], &["--max-connection-age", "1s"]].concat());
    // A client that closes its connection after a GOAWAY.
    exchange(&program, PREFACE, Duration::from_secs(2)).await;
    counted(&program, "age").await;
    all.add(&program).await;
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_their_labels_are_those_of_earlier_versions() {
    let cached = metrics("32MiB").await;
    let mut uncached = metrics("0").await;
    for (name, metric) in &cached.0 {
        if name.starts_with("detente_cache_") {
            assert!(!uncached.0.contains_key(name), "{name} exists without a cache");
            uncached.0.insert(name.clone(), Metric { kind: metric.kind.clone(), labels: metric.labels.clone() });
        }
    }
    assert_same("metrics without a cache", &uncached.text(), &cached.text());
    assert_golden("metrics.txt", &cached.text());
}

/// Adds the events of a server's log, by target. Of each event, it adds the level and the names of the fields.
fn events(program: &Program, events: &mut BTreeMap<String, BTreeSet<String>>) {
    for line in program.log.lock().unwrap().iter() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let field = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}"));
        // Skips events of other crates, such as those of the HTTP/2 connection.
        if !field("target").starts_with("detente") {
            continue;
        }
        let names = event.as_object().unwrap().keys();
        let known = ["timestamp", "level", "message", "target"];
        let names: Vec<&str> = names.map(String::as_str).filter(|name| !known.contains(name)).collect();
        let row = format!("{} {}", field("level"), names.join(", ")).trim_end().to_owned();
        events.entry(field("target").to_owned()).or_default().insert(row);
    }
}

/// The events that servers with a cache of this size log.
async fn logged(cache: &str) -> BTreeMap<String, BTreeSet<String>> {
    let folder = Folder::new(&format!("contracts-log-{cache}"));
    let mut all = BTreeMap::new();
    let common = ["--cache", cache, "--admin-listen", "127.0.0.1:0", "--log", "off,detente=trace"];

    // A decision log with an incomplete last line, a token file that changes, and a key that the server cannot use.
    let decision_log = folder.write("decisions.jsonl", "{\"time\":\"2026-01-01T00:00:00Z\"}\n{\"time\":");
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("a", "a", "analyst", "")));
    let mut unused = Signer::new("unused", jsonwebtoken::Algorithm::ES256).jwk();
    unused["use"] = json!("enc");
    let used = Signer::new("used", jsonwebtoken::Algorithm::ES256).jwk();
    let jwks = folder.write("jwks.json", &jwks(&[used, unused]));
    let access = ["--tokens", &tokens, "--jwks", &jwks, "--jwt-issuer", "x", "--jwt-audience", "x"];
    let more = ["--decision-log", &decision_log, "--log-content", "true", "--drain-pause", "0s"];
    let mut program = Program::start(&[&common[..], &access, &more].concat());
    let client = program.client().await;
    call(&client, "ListScenarios", &[], &[json!({})]).await;
    for (method, messages) in decisions::calls() {
        call(&client, method, &[("authorization", "Bearer a")], &messages).await;
    }
    // A caller that disconnects before its request is complete.
    let leaving = program.client().await;
    let bearer = ("authorization", "Bearer a");
    let open = leaving.open("/detente.v1.RedLineService/EvaluateProposal", &[bearer]).await;
    call(&leaving, "ListScenarios", &[bearer], &[json!({})]).await;
    drop(open);
    drop(leaving);
    program.until("the call is logged", async |program| program.logged("\"CANCELLED\"")).await;
    exchange(&program, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", PATIENCE).await;
    exchange(&program, &[PREFACE, b"\0\0\x01\x04\0\0\0\0\0\0"].concat(), PATIENCE).await;
    let mut odd = TcpStream::connect(admin(&program)).await.unwrap();
    odd.write_all(b"\x01\x02\r\n\r\n").await.unwrap();
    let _ = odd.read_to_end(&mut Vec::new()).await;
    for (text, logged) in [
        ("tokens: broken".to_owned(), "its last valid content, if any, stays in use"),
        (format!("tokens:\n{}", entry("b", "b", "analyst", "")), "reloaded: "),
    ] {
        OpenOptions::new().write(true).truncate(true).open(&tokens).unwrap().write_all(text.as_bytes()).unwrap();
        program.signal("-HUP");
        program.until(logged, async |program| program.logged(logged)).await;
    }
    drop(client);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    program.until("the log is read", async |program| program.logged("\"ended\"")).await;
    events(&program, &mut all);

    // A decision log that cannot be written, a second signal during a call, and a certificate.
    let server = Authorities::new("contracts").server();
    let (certificate, key) = (folder.write("server.pem", &server.certificate), folder.write("server.key", &server.key));
    let tls = ["--tls-cert", &certificate, "--tls-key", &key, "--max-connections", "1", "--drain-timeout", "1m"];
    let mut program = Program::start(&[&common[..], &tls].concat());
    exchange(&program, b"GET / HTTP/1.1\r\n\r\n", PATIENCE).await;
    let held = TcpStream::connect(program.address).await.unwrap();
    program.until("the connection limit is reached", async |program| program.logged("connection limit reached")).await;
    program.signal("-TERM");
    program.until("the server drains", async |program| program.logged("SIGTERM: draining")).await;
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(1));
    drop(held);
    program.until("the log is read", async |program| program.logged("again: exiting immediately")).await;
    events(&program, &mut all);

    let mut program =
        Program::start(&[&common[..], &["--decision-log", "/dev/full", "--drain-timeout", "1s"]].concat());
    let client = program.client().await;
    call(&client, "EvaluateProposal", &[], &[json!({"proposal": {}})]).await;
    program.until("the fault is logged", async |program| program.logged("decision log /dev/full")).await;
    let (_answer, _send) = client.open("/detente.v1.RedLineService/EvaluateProposal", &[]).await;
    client.call("/detente.v1.RedLineService/ListScenarios", &[], vec![0; 5]).await;
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(1));
    program.until("the log is read", async |program| program.logged("ended with calls cut")).await;
    events(&program, &mut all);
    all
}

/// The events by target, as the text of the golden file.
fn table(events: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut text = String::new();
    for (target, events) in events {
        let _ = writeln!(text, "{target}");
        events.iter().for_each(|event| {
            let _ = writeln!(text, "  {event}");
        });
    }
    text
}

/// How the declarations of log targets begin in the source.
const DECLARED: [&str; 2] = ["LOG_TARGET: &str = \"", "CALL_TARGET: &str = \""];
/// The macros that make events and spans.
const EVENTS: [&str; 10] = [
    "trace!(",
    "debug!(",
    "info!(",
    "warn!(",
    "error!(",
    "trace_span!(",
    "debug_span!(",
    "info_span!(",
    "warn_span!(",
    "error_span!(",
];

/// Adds the targets that the source declares. A run cannot provoke every event, so this function reads the source. It
/// fails if an event has no explicit target: the target would then be the module path, which changes when the module
/// moves.
fn declared(folder: &Path, targets: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, targets);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| line.trim().to_owned() + " ")
            .collect();
        for declared in DECLARED {
            targets.extend(code.split(declared).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        for event in EVENTS {
            for (at, _) in code.match_indices(event) {
                // Skips `debug_assert!(` and other macros whose names only end in one of these names.
                if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                    continue;
                }
                let rest = code[at + event.len()..].trim_start();
                let stated =
                    ["target: LOG_TARGET", "target: CALL_TARGET"].iter().any(|target| rest.starts_with(target));
                assert!(stated, "{}: an event without an explicit target: {event}{:.60}", path.display(), rest);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_targets_are_those_of_earlier_versions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut targets = BTreeSet::new();
    declared(&root.join("src"), &mut targets);
    let mut seen = logged("32MiB").await;
    let cached = seen.clone();
    let unseen: Vec<&String> = seen.keys().filter(|target| !targets.contains(*target)).collect();
    assert!(unseen.is_empty(), "logged, but not declared: {unseen:?}");
    for target in targets {
        seen.entry(target).or_insert_with(|| BTreeSet::from(["(not provoked here)".to_owned()]));
    }
    let text = table(&seen);
    assert_golden("log-targets.txt", &text);
    let (mut uncached, mut cached) = (logged("0").await, cached);
    // The counts of the cache are logged only if the server has a cache.
    let counts = "INFO hits, misses, evictions, entries, bytes";
    let remove =
        |log: &mut BTreeMap<String, BTreeSet<String>>| log.get_mut("detente::grpc::server").unwrap().remove(counts);
    assert!(remove(&mut cached) && !remove(&mut uncached));
    let (uncached, cached) = (table(&uncached), table(&cached));
    assert_same("the log without a cache", &uncached, &cached);
}
