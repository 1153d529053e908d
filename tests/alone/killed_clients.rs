//! Clients that are killed during an analysis leave neither a busy thread nor memory behind.

use crate::support::binary;
use crate::support::pigeons;
use crate::support::served::Server;
use crate::turn;
use detente::schema::proto::v1;
use detente::schema::proto::v1::analysis_service_client::AnalysisServiceClient;
use detente::schema::proto::v1::suggest_amendments_request::Subject;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tonic::transport::Endpoint;

/// Ticks of the kernel's CPU clock per second, which is 100 on all common Linux systems.
const TICKS: u64 = 100;

/// The CPU time of a process so far, in ticks, and its resident memory, in KiB.
fn usage(process: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (ticks, memory.trim().trim_end_matches(" kB").parse().unwrap())
}

/// The maximum time until the server has ended the work for disconnected clients.
const AT_REST: Duration = Duration::from_secs(5);

/// Waits until the process uses less than a quarter of a second of CPU time within a second. Returns its resident
/// memory at that time, in KiB.
fn memory_at_rest(process: u32) -> u64 {
    let begun = Instant::now();
    loop {
        let (before, _) = usage(process);
        sleep(Duration::from_secs(1));
        let (after, memory) = usage(process);
        if after - before < TICKS / 4 {
            return memory;
        }
        // Unless the server stops the analyses, they take minutes: each may run for half a minute, and 64 wait.
        assert!(
            begun.elapsed() < AT_REST,
            "the server is still busy, for {} of {TICKS} ticks a second",
            after - before
        );
    }
}

/// Sends a request from each of `clients` connections, and drops all connections while the analyses run.
fn drop_clients(url: &str, clients: i32) {
    let refused = Arc::new(AtomicUsize::new(0));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for number in 0..clients {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        let refused = Arc::clone(&refused);
        runtime.spawn(async move {
            let mut client = AnalysisServiceClient::new(endpoint.connect().await.unwrap());
            // Some requests are equal, most are different.
            let goal = format!("i0 != \"town_{}\" && i1 != \"town_{}\"", number % 11, number / 11 % 11);
            let request = v1::SuggestAmendmentsRequest {
                subject: Some(Subject::Proposal(v1::Proposal::default())),
                aim: Some(v1::Aim { goal, ..v1::Aim::default() }),
                ..Default::default()
            };
            if client.suggest_amendments(request).await.is_err() {
                refused.fetch_add(1, Relaxed);
            }
        });
    }
    // There are 121 different requests, and equal requests share an analysis. Two analyses run, 64 wait, and the others
    // are rejected. This many rejections show that the server is full.
    let begun = Instant::now();
    while refused.load(Relaxed) < 121 - 2 - 64 {
        assert!(begun.elapsed() < AT_REST, "{} were refused", refused.load(Relaxed));
        sleep(Duration::from_millis(10));
    }
    // The connections close without a GOAWAY or a reset, as when a process is killed.
    runtime.shutdown_background();
}

#[test]
fn two_hundred_killed_clients_leave_no_busy_thread_and_no_memory_behind() {
    let _turn = turn();
    let folder = binary::Folder::new("killed");
    let scenario = folder.write("pigeons.yaml", &pigeons::pigeons(12, 11));
    // The test does not read the log, so the log of calls is off.
    let server = Server::start(&["--scenario", &scenario, "--analyses", "2", "--log", "info,detente::call=off"]);
    let process = server.id();
    // The first round makes the program allocate its permanent memory.
    drop_clients(&server.url, 200);
    let before = memory_at_rest(process);
    for _ in 0..3 {
        drop_clients(&server.url, 200);
    }
    let after = memory_at_rest(process);
    assert!(after < before + 16 * 1024, "memory: {before} KiB, then {after} KiB");
    println!("memory {before} KiB, then {after} KiB");
    // The server has survived.
    let status = Command::new("kill").args(["-0", &process.to_string()]).status().unwrap();
    assert!(status.success());
}
