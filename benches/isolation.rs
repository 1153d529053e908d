//! Measures whether busy analysis threads slow evaluations down. Sends EvaluateProposal calls at a fixed rate from
//! independent callers, first to an idle server, then to the same server while it runs the maximum number of analyses.
//!
//! `cargo bench --bench isolation`. If `taskset` is available, the server runs on two processors only; this program may
//! use all of them. Times count from the moment at which a call was due, not from when it was sent, so that a stalled
//! server is also charged for the calls that it delayed.

#[path = "../tests/support/pigeons.rs"]
mod pigeons;

use detente::schema::proto::v1;
use detente::schema::proto::v1::analysis_service_client::AnalysisServiceClient;
use detente::schema::proto::v1::red_line_service_client::RedLineServiceClient;
use detente::schema::proto::v1::{evaluate_proposal_request, suggest_amendments_request};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Calls per second.
const RATE: u32 = 1_000;
const LASTING: Duration = Duration::from_secs(15);
/// The duration with `--quick`, which only checks that the bench works.
const QUICK_LASTING: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 8;
/// The number of concurrent analyses. A server on two processors runs one of them, and the others wait in its queue.
const ANALYSES: i32 = 65;

#[tokio::main]
async fn main() {
    let folder = std::env::temp_dir().join(format!("detente-isolation-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let hard = folder.join("pigeons.yaml");
    fs::write(&hard, pigeons::pigeons(12, 11)).unwrap();
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/ukraine-2025.yaml");
    let server = Server::start(&[bundled, hard.to_str().unwrap()]);
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let lasting = if is_quick { QUICK_LASTING } else { LASTING };
    println!("{} calls a second, for {} s; {}", RATE, lasting.as_secs(), server.on);
    println!("{:<34} {:>9} {:>9} {:>9} {:>9} {:>8}", "", "p50", "p99", "p99.9", "most", "failed");
    let alone = evaluations(&server.url, lasting).await;
    alone.print("alone");
    let analyses = saturate(&server.url).await;
    let beside = evaluations(&server.url, lasting).await;
    beside.print(&format!("beside {ANALYSES} analyses"));
    drop(analyses);
    let apart = beside.quantile(0.99).saturating_sub(alone.quantile(0.99));
    println!("p99 beside the analyses is higher by {:.2} ms", apart.as_secs_f64() * 1e3);
    let _ = fs::remove_dir_all(folder);
}

async fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap()
}

/// Keeps all analysis threads and the whole queue of the server occupied, with requests whose analyses take minutes.
async fn saturate(url: &str) -> JoinSet<()> {
    let mut asking = JoinSet::new();
    for number in 0..ANALYSES {
        let channel = channel(url).await;
        asking.spawn(async move {
            let mut client = AnalysisServiceClient::new(channel);
            loop {
                let goal = format!("i0 != \"town_{}\"", number % 11);
                let subject = suggest_amendments_request::Subject::Proposal(v1::Proposal::default());
                let request = v1::SuggestAmendmentsRequest {
                    scenario: "scenarios/pigeons".to_owned(),
                    subject: Some(subject),
                    aim: Some(v1::Aim { goal, ..v1::Aim::default() }),
                    max_amendments: 1 + number / 11,
                    ..Default::default()
                };
                let mut request = Request::new(request);
                request.set_timeout(Duration::from_secs(60));
                let _ = client.suggest_amendments(request).await;
            }
        });
    }
    sleep(Duration::from_secs(1)).await;
    asking
}

struct Latencies {
    sorted: Vec<Duration>,
    failed: usize,
}

impl Latencies {
    fn quantile(&self, share: f64) -> Duration {
        let at = (self.sorted.len() as f64 * share) as usize;
        self.sorted[at.min(self.sorted.len() - 1)]
    }

    fn print(&self, name: &str) {
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
        let most = *self.sorted.last().unwrap();
        println!(
            "{name:<34} {:>9} {:>9} {:>9} {:>9} {:>8}",
            ms(self.quantile(0.5)),
            ms(self.quantile(0.99)),
            ms(self.quantile(0.999)),
            ms(most),
            self.failed
        );
    }
}

async fn evaluations(url: &str, lasting: Duration) -> Latencies {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(RedLineServiceClient::new(channel(url).await));
    }
    let between = Duration::from_secs(1) / RATE;
    let calls = u32::try_from(lasting.as_nanos() / between.as_nanos()).unwrap();
    let begun = Instant::now() + Duration::from_millis(100);
    let mut answers = JoinSet::new();
    for call in 0..calls {
        let due = begun + between * call;
        sleep_until(due.into()).await;
        let mut client = clients[call as usize % CONNECTIONS].clone();
        answers.spawn(async move {
            let name = "scenarios/ukraine-2025/proposals/european-force".to_owned();
            let subject = evaluate_proposal_request::Subject::ProposalName(name);
            let request = v1::EvaluateProposalRequest { subject: Some(subject), ..Default::default() };
            let answered = client.evaluate_proposal(request).await.is_ok();
            (due.elapsed(), answered)
        });
    }
    let answers = answers.join_all().await;
    let failed = answers.iter().filter(|(_, answered)| !answered).count();
    let mut sorted: Vec<Duration> = answers.into_iter().map(|(time, _)| time).collect();
    sorted.sort_unstable();
    Latencies { sorted, failed }
}

struct Server {
    child: Child,
    url: String,
    on: &'static str,
}

impl Server {
    fn start(scenarios: &[&str]) -> Self {
        let pinned = Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok();
        let binary = env!("CARGO_BIN_EXE_detente");
        let (mut command, on) = if pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "0,1", binary]);
            (command, "the server on two processors")
        } else {
            (Command::new(binary), "the server on all processors (no taskset)")
        };
        command.args(["serve", "--listen", "127.0.0.1:0", "--analysis-time", "60s", "--admin-listen", "off"]);
        for scenario in scenarios {
            command.args(["--scenario", scenario]);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let url = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server did not start");
            if let Some((_, after)) = line.split_once("listening on ") {
                break format!("http://{}", after.split_once(": ").unwrap().0);
            }
        };
        // Read the rest of the log: if the pipe were full, the server would block.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, url, on }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
