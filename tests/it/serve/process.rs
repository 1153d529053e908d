//! What the process takes of its machine. File descriptors: the limit is raised at the start, and probes are answered
//! when callers hold all connections. Processor time: its metric has fractions of seconds.

use crate::support::binary::command_after;
use crate::support::program::Program;
use crate::support::{Answer, Client, LIST, PATIENCE, channel, frame};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// The address of the admin listener, which the log names before that of the main listener or just after it.
async fn admin_of(program: &Program) -> SocketAddr {
    program.until("the admin listener is logged", async |program| program.logged("admin listener on ")).await;
    let log = program.log.lock().unwrap();
    let rest = log.iter().find_map(|line| line.split("admin listener on ").nth(1)).unwrap();
    rest.split(": ").next().unwrap().parse().unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let answered = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    timeout(Duration::from_secs(5), answered).await.expect("a probe is answered within its usual timeout")
}

async fn metric(address: SocketAddr, name: &str) -> f64 {
    let metrics = get(address, "/metrics").await;
    let line = metrics.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn probes_are_answered_when_callers_and_strangers_hold_all_descriptors() {
    let settings = [
        "--max-connections",
        "172",
        "--max-connections-per-address",
        "300",
        "--admin-listen",
        "127.0.0.1:0",
        "--handshake-timeout",
        "1m",
    ];
    let program = Program::start_after("ulimit -n 300", &settings);
    let admin = admin_of(&program).await;
    let before = metric(admin, "process_open_fds").await;
    assert!(before < 40.0, "{before} descriptors are open before the first connection");
    let caller = program.client().await;
    // More connections to each listener than it serves. They stay open and say nothing. Those that the server does not
    // accept must fit into the backlog of the system, which may be 128.
    let mut held = Vec::new();
    for _ in 0..280 {
        held.push(TcpStream::connect(program.address).await.unwrap());
        held.push(TcpStream::connect(admin).await.unwrap());
    }
    program.until("all connections are open", async |_| metric(admin, "detente_connections_open").await == 172.0).await;
    let open = metric(admin, "process_open_fds").await;
    assert!(open > 172.0 + 60.0 && open <= 300.0, "{open}");
    for _ in 0..20 {
        assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 200"));
        let mut health = HealthClient::new(channel(admin).await);
        let checked = timeout(PATIENCE, health.check(HealthCheckRequest::default())).await.unwrap().unwrap();
        assert_eq!(checked.into_inner().status(), ServingStatus::Serving);
    }
    // Reloads still read their files, and open connections are still served.
    program.signal("-HUP");
    let answer: Answer = caller.call(LIST, &[], frame(&[])).await;
    assert_eq!(answer.code(), Code::Ok);
    let log = program.log.lock().unwrap().join("\n");
    assert!(!log.contains("cannot accept") && !log.contains("Too many open files"), "{log}");
    drop(held);
    program
        .until("new callers are served again", async |program| {
            Client::connect(program.address).await.call(LIST, &[], frame(&[])).await.code() == Code::Ok
        })
        .await;
}

#[tokio::test]
async fn the_soft_limit_is_raised_to_the_hard_limit() {
    let settings = ["--max-connections", "272", "--admin-listen", "127.0.0.1:0"];
    let program = Program::start_after("ulimit -Sn 100 && ulimit -Hn 400", &settings);
    assert_eq!(metric(admin_of(&program).await, "process_max_fds").await, 400.0);
}

#[test]
fn a_server_whose_connections_and_reserve_do_not_fit_does_not_start() {
    for (limit, setting, expected) in [
        (
            "300",
            "173",
            "--max-connections (DETENTE_MAX_CONNECTIONS): 173 connections need 301 file descriptors, and this process \
             may open 300; lower the setting to 172, or raise the hard limit to 301 (`ulimit -n 301`, or \
             `LimitNOFILE=301` in a systemd unit)",
        ),
        ("128", "1", "may open 128; raise the hard limit to 129"),
    ] {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--max-connections", setting];
        let output = command_after(&format!("ulimit -n {limit}"), &arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[tokio::test]
async fn processor_time_is_reported_with_fractions_of_seconds() {
    let program = Program::start(&["--admin-listen", "127.0.0.1:0"]);
    let admin = admin_of(&program).await;
    let used = metric(admin, "process_cpu_seconds_total").await;
    assert!(used > 0.0 && used.fract() > 0.0, "{used}");
    // A few calls take far less than a second, and are visible.
    let client = program.client().await;
    for _ in 0..50 {
        assert_eq!(client.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
    let more = metric(admin, "process_cpu_seconds_total").await - used;
    assert!(more > 0.0 && more < 1.0, "{more}");
}
