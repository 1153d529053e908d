//! The running program: files that change, signals, the decision log, and logs that nobody reads.

use crate::support;
use crate::support::binary;
use crate::support::binary::Folder;
use crate::support::credentials::{Authorities, entry};
use crate::support::program::Program;
use crate::support::{Answer, Client, EVALUATE, LIST, PATIENCE, frame};
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::{
    BatchEvaluateProposalsRequest, CompareProposalsRequest, ComparedProposal, EvaluateHistoryRequest,
    EvaluateProposalRequest, EvaluateProposalResponse, compared_proposal, evaluate_history_request,
};
use detente::serving::source;
use prost::Message;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

fn proposal(name: &str) -> Vec<u8> {
    let name = format!("scenarios/ukraine-2025/proposals/{name}");
    EvaluateProposalRequest { subject: Some(Subject::ProposalName(name)), ..Default::default() }.encode_to_vec()
}

async fn listed(program: &Program, token: &str) -> Answer {
    let header = format!("Bearer {token}");
    program.client().await.call(LIST, &[("authorization", &header)], frame(&[])).await
}

#[tokio::test]
async fn the_threads_setting_sets_the_number_of_worker_threads() {
    for threads in [1, 16] {
        let program = Program::start(&["--threads", &threads.to_string()]);
        program.until("the worker threads run", async |program| program.threads() >= threads).await;
        // The blocking threads of tokio, which read files, have the same name as its worker threads.
        assert!(program.threads() < threads + 8, "{}", program.threads());
        assert_eq!(program.client().await.call(LIST, &[], frame(&[])).await.code(), Code::Ok);
    }
}

#[tokio::test]
async fn files_are_reloaded_on_sighup() {
    let folder = Folder::new("serve-signal");
    let scenarios = folder.0.join("scenarios");
    fs::create_dir_all(&scenarios).unwrap();
    fs::write(scenarios.join("a.yaml"), source::EMBEDDED).unwrap();
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("a", "old", "reader", "")));
    let place = scenarios.display().to_string();
    let program = Program::start(&["--scenarios", &place, "--tokens", &tokens, "--reload-interval", "0s"]);
    assert_eq!(listed(&program, "old").await.code(), Code::Ok);
    // One token is revoked, and another one becomes valid.
    folder.write("tokens.yaml", &format!("tokens:\n{}", entry("a", "new", "reader", "")));
    fs::write(scenarios.join("b.yaml"), source::EMBEDDED.replacen("scenario: ukraine-2025", "scenario: b", 1)).unwrap();
    program.signal("-HUP");
    program.until("the new token is accepted", async |program| listed(program, "new").await.code() == Code::Ok).await;
    assert_eq!(listed(&program, "old").await.code(), Code::Unauthenticated);
    program.until("the new scenario is served", async |program| program.logged("scenarios/b: revision")).await;
    // An unusable file is reported once, and its previous content stays in use.
    folder.write("tokens.yaml", "tokens: broken");
    fs::write(scenarios.join("b.yaml"), "broken").unwrap();
    let reports = |program: &Program| {
        program
            .log
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains("cannot be used, so its last valid content"))
            .count()
    };
    program.until("both faults are logged", async |program| reports(program) == 2).await;
    assert_eq!(listed(&program, "new").await.code(), Code::Ok);
    for _ in 0..3 {
        program.signal("-HUP");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(reports(&program), 2, "{:#?}", program.log.lock().unwrap());
}

#[tokio::test]
async fn every_evaluation_is_in_the_decision_log_and_can_be_replayed() {
    let folder = Folder::new("serve-decisions");
    let log = folder.0.join("decisions.jsonl");
    let place = log.display().to_string();
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("desk", "t", "analyst", "")));
    let mut program = Program::start(&["--decision-log", &place, "--tokens", &tokens]);
    let client = program.client().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (id, name) in [("one", "european-force"), ("two", "european-force"), ("three", "jeddah-ceasefire")] {
        let headers = [("x-request-id", id), ("traceparent", trace), ("authorization", "Bearer t")];
        assert_eq!(client.call(EVALUATE, &headers, frame(&proposal(name))).await.code(), Code::Ok);
    }
    // A batch and a comparison write one line for each proposal.
    let asked = |name: &str| EvaluateProposalRequest::decode(&proposal(name)[..]).unwrap();
    let batch = BatchEvaluateProposalsRequest { requests: vec![asked("strong-army"); 2], ..Default::default() };
    let compared = |name: &str| ComparedProposal {
        subject: Some(compared_proposal::Subject::ProposalName(format!("scenarios/ukraine-2025/proposals/{name}"))),
        ..Default::default()
    };
    let proposals = vec![compared("european-force"), compared("jeddah-ceasefire")];
    let comparison = CompareProposalsRequest { proposals, ..Default::default() };
    let name = "scenarios/ukraine-2025/proposals/jeddah-ceasefire".to_owned();
    let from = Some(detente::schema::proto::Date { year: 2025, month: 3, day: 6 });
    let subject = Some(evaluate_history_request::Subject::ProposalName(name));
    let history = EvaluateHistoryRequest { subject, from, ..Default::default() };
    for (method, message) in [
        ("BatchEvaluateProposals", batch.encode_to_vec()),
        ("CompareProposals", comparison.encode_to_vec()),
        ("EvaluateHistory", history.encode_to_vec()),
    ] {
        let path = format!("/detente.v1.RedLineService/{method}");
        let answer = client.call(&path, &[("authorization", "Bearer t")], frame(&message)).await;
        assert_eq!(answer.code(), Code::Ok, "{method}");
    }
    drop(client);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |method: &str| lines.iter().filter(|line| line["method"] == method).count();
    assert_eq!((of("EvaluateProposal"), of("BatchEvaluateProposals"), of("CompareProposals")), (3, 2, 2), "{text}");
    assert!(of("EvaluateHistory") >= 2, "{text}");
    let first = &lines[0];
    for (field, wanted) in [
        ("request_id", "one"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("caller", "desk"),
        ("method", "EvaluateProposal"),
        ("scenario", "scenarios/ukraine-2025"),
        ("as_of", "2025-03-14"),
        ("verdict", "VERDICT_BLOCKED"),
    ] {
        assert_eq!(first[field], wanted, "{first}");
    }
    assert_eq!(first["crossed"][0]["red_line"], "scenarios/ukraine-2025/redLines/ru-no-nato-forces");
    assert_eq!(first["request"]["proposalName"], "scenarios/ukraine-2025/proposals/european-force");
    assert_eq!((&lines[0]["cached"], &lines[1]["cached"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(lines[0]["crossed"], lines[1]["crossed"]);
    // With an unchanged scenario the replay finds no difference; with a changed one it does.
    assert_eq!(binary::run(&["replay", &place]).0, 0);
    let changed = source::EMBEDDED.replacen("firmness: absolute", "firmness: tentative", 1);
    let changed = folder.write("changed.yaml", &changed);
    let (code, output, _) = binary::run(&["replay", "--scenario", &changed, &place]);
    assert_eq!(code, 1, "{output}");
}

#[tokio::test]
async fn a_full_disk_under_the_decision_log_is_reported_and_delays_no_call() {
    let program = Program::start(&["--decision-log", "/dev/full", "--decision-log-queue", "8"]);
    let client = program.client().await;
    for _ in 0..200 {
        assert_eq!(client.call(EVALUATE, &[], frame(&proposal("european-force"))).await.code(), Code::Ok);
    }
    program.until("the error is logged", async |program| program.logged("decision")).await;
}

#[tokio::test]
async fn unread_logs_and_decisions_do_not_delay_calls() {
    let all = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "info,detente::call=debug",
        "--decision-log",
        "-",
        "--decision-log-queue",
        "16",
        "--log-format",
        "json",
    ];
    let mut child = binary::command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Read the log up to the address, and then never again.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address: SocketAddr = loop {
        line.clear();
        stderr.read_line(&mut line).unwrap();
        if let Some(rest) = line.split("\"listening on ").nth(1) {
            break rest.split(": ").next().unwrap().parse().unwrap();
        }
    };
    let client = Client::connect(address).await;
    let mut slowest = Duration::ZERO;
    for at in 0..3_000 {
        let begun = Instant::now();
        let answer = client.call(EVALUATE, &[], frame(&proposal("european-force"))).await;
        assert_eq!(answer.code(), Code::Ok, "call {at}");
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    // The program still shuts down.
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "the program did not exit");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
}

#[tokio::test]
async fn proposal_contents_are_logged_only_if_enabled() {
    for (asked, expected) in [("false", false), ("true", true)] {
        let mut program = Program::start(&["--log", "info,detente::call=debug", "--log-content", asked]);
        let answer = program.client().await.call(EVALUATE, &[], frame(&proposal("strong-army"))).await;
        assert!(EvaluateProposalResponse::decode(&answer.data[5..]).unwrap().evaluation.is_some());
        program.signal("-TERM");
        assert_eq!(program.ended().await, Some(0));
        assert!(program.logged("VERDICT_CONTESTED") && program.logged("\"scenario\":\"ukraine-2025\""));
        assert_eq!(program.logged("strong-army"), expected, "{:#?}", program.log.lock().unwrap());
    }
}

#[tokio::test]
async fn the_network_setup_of_the_readme_works_with_the_commands() {
    let folder = Folder::new("serve-network");
    let authority = Authorities::new("authority");
    let identity = authority.server();
    let (cert, key) = (folder.write("tls.crt", &identity.certificate), folder.write("tls.key", &identity.key));
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("desk", "secret", "reader", "")));
    let log = folder.0.join("decisions.jsonl").display().to_string();
    let mut program = Program::start(&[
        "--listen",
        "0.0.0.0:0",
        "--scenarios",
        "scenarios",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--tokens",
        &tokens,
        "--decision-log",
        &log,
    ]);
    let url = format!("https://localhost:{}", program.address.port());
    let (ca, token) = (folder.write("ca.crt", &authority.pem()), folder.write("token", "secret\n"));
    let asked = ["evaluate", "european-force", "--server", &url, "--ca", &ca];
    let output = binary::prints(&[&asked[..], &["--token-file", &token]].concat());
    assert!(output.starts_with("BLOCKED"), "{output}");
    // Calls without the token, without the certificate authority, and with a role that is not enough.
    let (code, output) = binary::refuses(&asked);
    assert!(code == 1 && output.contains("authorization"), "{output}");
    let (code, output) = binary::refuses(&["evaluate", "european-force", "--server", &url, "--token-file", &token]);
    assert!(code == 1 && output.contains(&url), "{output}");
    let (code, output) = binary::refuses(&["impasse", "--server", &url, "--ca", &ca, "--token-file", &token]);
    assert!(code == 1 && output.contains("`analyst`"), "{output}");
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);
}

/// The certificate that a server presents on a new connection.
async fn shown(program: &Program, authority: &Authorities) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(program.address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn certificates_are_reloaded_only_as_matching_pairs() {
    let folder = Folder::new("serve-certificates");
    let authority = Authorities::new("authority");
    let (one, two) = (authority.server(), authority.server());
    let (cert, key) = (folder.write("tls.crt", &one.certificate), folder.write("tls.key", &one.key));
    let program = Program::start(&["--tls-cert", &cert, "--tls-key", &key, "--reload-interval", "0s"]);
    let first = shown(&program, &authority).await;
    // The certificate is replaced first, while its key is still the old one.
    folder.write("tls.crt", &two.certificate);
    program
        .until("the error is logged", async |program| program.logged("cannot use the certificate with the private key"))
        .await;
    assert_eq!(shown(&program, &authority).await, first);
    folder.write("tls.key", &two.key);
    program.until("the new certificate is used", async |program| shown(program, &authority).await != first).await;
    program.until("the recovery", async |program| program.logged("tls.crt") && program.logged("is usable again")).await;
}

#[tokio::test]
async fn a_server_without_scenarios_is_not_ready() {
    let folder = Folder::new("serve-nothing");
    let path = folder.write("a.yaml", source::EMBEDDED);
    let program = Program::start(&["--scenarios", &folder.0.display().to_string(), "--reload-interval", "0s"]);
    let health = async |program: &Program| {
        let mut client = HealthClient::new(support::channel(program.address).await);
        client.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
    };
    assert_eq!(health(&program).await, ServingStatus::Serving);
    fs::remove_file(&path).unwrap();
    program.until("the server is not ready", async |program| health(program).await == ServingStatus::NotServing).await;
    let answer = program.client().await.call(EVALUATE, &[], frame(&proposal("european-force"))).await;
    assert_eq!(answer.code(), Code::NotFound);
    folder.write("a.yaml", source::EMBEDDED);
    program.until("the server is ready again", async |program| health(program).await == ServingStatus::Serving).await;
}
