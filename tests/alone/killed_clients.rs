//! Clients who are killed amid an analysis leave nothing behind: no thread at work, no memory.

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

/// The kernel's clock for CPU time, a second: the same on all Linux machines that are met today.
const TICKS: u64 = 100;

/// CPU time, in ticks, and resident memory, in KiB.
fn usage(process: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (ticks, memory.trim().trim_end_matches(" kB").parse().unwrap())
}

/// The time within which the work for clients that are gone has ended.
const AT_REST: Duration = Duration::from_secs(5);

/// Resident memory, in KiB, once the process has used less than a quarter of a second of CPU time within a second.
fn memory_at_rest(process: u32) -> u64 {
    let begun = Instant::now();
    loop {
        let (before, _) = usage(process);
        sleep(Duration::from_secs(1));
        let (after, memory) = usage(process);
        if after - before < TICKS / 4 {
            return memory;
        }
        // By themselves, the analyses would go on for minutes: each has half a minute, and 64 wait.
        assert!(begun.elapsed() < AT_REST, "it still works, for {} of {TICKS} ticks a second", after - before);
    }
}

/// So many clients ask, each on a connection of its own, and are gone while their answers are looked for.
fn killed(url: &str, clients: i32) {
    let refused = Arc::new(AtomicUsize::new(0));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for number in 0..clients {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        let refused = Arc::clone(&refused);
        runtime.spawn(async move {
            let mut client = AnalysisServiceClient::new(endpoint.connect().await.unwrap());
            // Some ask the same, most do not.
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
    // Of 121 different questions two are worked on and 64 wait. The others are refused, the last when all have come.
    let begun = Instant::now();
    while refused.load(Relaxed) < 121 - 2 - 64 {
        assert!(begun.elapsed() < AT_REST, "{} were refused", refused.load(Relaxed));
        sleep(Duration::from_millis(10));
    }
    // Nothing says goodbye: the sockets are closed, as when a process is killed.
    runtime.shutdown_background();
}

#[test]
fn two_hundred_killed_clients_leave_no_thread_at_work_and_no_memory_behind() {
    let _turn = turn();
    let folder = binary::Folder::new("killed");
    let scenario = folder.write("pigeons.yaml", &pigeons::pigeons(12, 11));
    // Nobody reads its log.
    let server = Server::start(&["--scenario", &scenario, "--analyses", "2", "--log", "info,detente::call=off"]);
    let process = server.id();
    // What the program allocates once for good it allocates now.
    killed(&server.url, 200);
    let before = memory_at_rest(process);
    for _ in 0..3 {
        killed(&server.url, 200);
    }
    let after = memory_at_rest(process);
    assert!(after < before + 16 * 1024, "memory: {before} KiB, then {after} KiB");
    println!("memory {before} KiB, then {after} KiB");
    // It was alive, and is.
    let status = Command::new("kill").args(["-0", &process.to_string()]).status().unwrap();
    assert!(status.success());
}
