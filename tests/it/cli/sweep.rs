//! `detente sweep`, which evaluates the requests of a file, one on each line: the order of answers, errors in their
//! place, resuming, and equal answers with and without a server.

use crate::support::binary::{Folder, command, refuses, reservoir, run};
use crate::support::served::Server;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

fn named(id: &str, proposal: &str) -> String {
    format!(r#"{{"id":"{id}","request":{{"proposalName":"scenarios/ukraine-2025/proposals/{proposal}"}}}}"#)
}

/// Input lines of every kind: requests, faulty requests, and lines that are not requests.
fn mixed() -> String {
    [
        named("a", "jeddah-ceasefire"),
        String::new(),
        named("b", "jedda-ceasefire"),
        "  \t\r".to_owned(),
        r#"{"id":"c","request":{"proposal":{"terms":[{"issue":"sanctions","choice":"lift"}]}}}"#.to_owned() + "\r",
        r#"{"id":"d","reqest":{}}"#.to_owned(),
        "not JSON".to_owned(),
        r#"{"id":"long","request":{"scenario":""#.to_owned() + &"x".repeat(1024 * 1024) + "\"}}",
        format!(r#"{{"id":"{}","request":{{"proposal":{{}}}}}}"#, "é".repeat(200)),
        r#"{"id":"e"}"#.to_owned(),
        r#"{"request":{"proposal":{},"hypotheses":[{"dropRedLine":"ru-kursk"}]}}"#.to_owned(),
        r#"{"id":"f\"\u0007ö","request":{"proposal":{},"asOf":{"year":2024,"month":6,"day":30},"view":"EVALUATION_VIEW_FULL"}}"#
            .to_owned(),
    ]
    .join("\n")
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn many(count: usize) -> String {
    let proposals = ["jeddah-ceasefire", "european-force", "strong-army"];
    (0..count).map(|at| named(&format!("n{at}"), proposals[at % 3]) + "\n").collect()
}

#[test]
fn answers_and_errors_are_in_the_order_of_the_lines() {
    let folder = Folder::new("sweep-order");
    let file = folder.write("in.jsonl", &mixed());
    let (code, stdout, stderr) = run(&["sweep", &file]);
    assert_eq!((code, stderr.as_str()), (0, "10 answered, 6 with errors\n"));
    let answers = lines(&stdout);
    let ids: Vec<&str> = answers.iter().map(|answer| answer["id"].as_str().unwrap_or("")).collect();
    let long = "é".repeat(128);
    assert_eq!(ids, ["a", "b", "c", "d", "", "", &long, "e", "", "f\"\u{7}ö"]);
    let details = |at: usize| answers[at]["error"]["details"].to_string();
    for (at, fault) in [
        (3, "line 6"),
        (3, "the line is not a StreamEvaluateProposalsRequest: unrecognized field name 'reqest'"),
        (4, "line 7"),
        (5, "the line is longer than 1048576 bytes, the limit for a request"),
        (6, "the id has 400 bytes"),
        (7, "give a request"),
    ] {
        assert!(details(at).contains(fault), "{fault}: {}", answers[at]);
        assert_eq!(answers[at]["error"]["code"], 3, "{}", answers[at]);
    }
    assert_eq!(answers[1]["error"]["code"], 5);
    assert!(answers[1]["error"]["message"].as_str().unwrap().contains("did you mean"));
    assert_eq!(answers[0]["evaluation"]["verdict"], "VERDICT_CONTESTED");
    assert_eq!(answers[8]["evaluation"]["suppositions"][0], "ru-kursk is not held");
    assert_eq!(answers[9]["evaluation"]["asOf"]["year"], 2024);
    assert!(answers[9]["evaluation"]["inputs"].is_array());
}

#[test]
fn a_server_and_a_file_give_answers_with_the_same_bytes() {
    let folder = Folder::new("sweep-same");
    let file = folder.write("in.jsonl", &(mixed() + "\n" + &many(500)));
    let (code, here, _) = run(&["sweep", &file]);
    assert_eq!(code, 0);
    let server = Server::start(&[]);
    let (code, there, stderr) = run(&["sweep", &file, "--server", &server.url]);
    assert_eq!((code, stderr.as_str()), (0, "510 answered, 6 with errors\n"));
    assert!(here == there, "the answers differ");
    let out = folder.0.join("out.jsonl").display().to_string();
    assert_eq!(run(&["sweep", &file, "--server", &server.url, "--out", &out]), (0, String::new(), stderr));
    assert!(fs::read_to_string(&out).unwrap() == here);
}

#[test]
fn a_sweep_resumes_after_a_line_that_was_cut_off() {
    let folder = Folder::new("sweep-resume");
    let text = mixed() + "\n" + &many(100);
    let file = folder.write("in.jsonl", &text);
    let (_, whole, _) = run(&["sweep", &file]);
    let server = Server::start(&[]);
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    // The file of answers ends after `answered` complete lines and `torn` bytes of the next one.
    for (target, answered, torn) in
        [(None, 0, 0), (None, 0, 7), (None, 6, 30), (Some(&server.url), 60, 500), (None, 109, 1), (None, 110, 0)]
    {
        let cut = if answered == 0 { 0 } else { ends[answered - 1] };
        let out = folder.write("out.jsonl", "");
        fs::write(&out, &whole.as_bytes()[..cut + torn]).unwrap();
        let server = target.map_or(Vec::new(), |url| vec!["--server", url]);
        let (code, stdout, stderr) = run(&[&["sweep", &file, "--out", &out, "--resume"], &server[..]].concat());
        assert_eq!((code, stdout.as_str()), (0, ""), "{answered}, {torn}: {stderr}");
        assert!(stderr.starts_with(&format!("{} answered", 110 - answered)), "{stderr}");
        assert_eq!(stderr.contains(&format!("; {answered} already answered")), answered > 0, "{stderr}");
        assert!(fs::read_to_string(&out).unwrap() == whole, "{answered}, {torn}");
    }
    // With --resume, a file that does not exist is created.
    let new = folder.0.join("new.jsonl").display().to_string();
    assert_eq!(run(&["sweep", &file, "--out", &new, "--resume"]).0, 0);
    assert!(fs::read_to_string(&new).unwrap() == whole);
}

#[test]
fn a_file_of_other_answers_is_neither_resumed_nor_overwritten() {
    let folder = Folder::new("sweep-refused");
    let file = folder.write("in.jsonl", &many(3));
    let (_, whole, _) = run(&["sweep", &file]);
    let shorter = folder.write("shorter.jsonl", &many(2));
    let other = folder.write("other.jsonl", &many(3).replace("\"n1\"", "\"x\""));
    for (input, text, options, expected) in [
        (&file, whole.as_str(), &[][..], "is not empty; add --resume"),
        (&file, "x", &[], "is not empty; add --resume"),
        (&shorter, &whole, &["--resume"], "it has more answers than"),
        (&other, &(whole.clone() + "torn"), &["--resume"], "its line 2 answers `n1`, but line 2 of"),
        (&file, &many(3), &["--resume"], "its line 1 is not an answer of a sweep"),
        (&file, "1\n", &["--resume"], "its line 1 is not an answer of a sweep"),
    ] {
        let out = folder.write("out.jsonl", text);
        let (code, stderr) = refuses(&[&["sweep", input, "--out", &out], options].concat());
        assert_eq!(code, 2, "{expected}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{expected}: {stderr}");
        assert_eq!(fs::read_to_string(&out).unwrap(), *text, "the file is unchanged");
    }
    for usage in [&["sweep"][..], &["sweep", &file, "--resume"]] {
        assert_eq!(refuses(usage).0, 2);
    }
    let (code, stderr) = refuses(&["sweep", "nowhere.jsonl"]);
    assert!(code == 1 && stderr.contains("nowhere.jsonl cannot be read"), "{stderr}");
    let (code, stderr) = refuses(&["sweep", &file, "--out", "nowhere/out.jsonl"]);
    assert!(code == 1 && stderr.contains("nowhere/out.jsonl cannot be written"), "{stderr}");
    let (code, stderr) = refuses(&["sweep", &file, "--server", "http://127.0.0.1:1"]);
    assert!(code == 1 && stderr.contains("no server answers"), "{stderr}");
}

#[test]
fn a_broken_stream_keeps_its_answers_and_can_be_resumed() {
    let folder = Folder::new("sweep-broken");
    let text = many(40);
    let (first, rest) = text.split_at(text.match_indices('\n').nth(9).unwrap().0 + 1);
    let out = folder.0.join("out.jsonl").display().to_string();
    let server = Server::start(&["--drain-pause", "0s"]);
    let arguments = ["sweep", "-", "--server", &server.url, "--out", &out];
    let mut child = command(&arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(first.as_bytes()).unwrap();
    // Answers are written at once, without waiting for the next request.
    while fs::read_to_string(&out).map_or(0, |text| text.lines().count()) < 10 {
        assert!(child.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(10));
    }
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with(
            "error: sweep stopped after 10 answers; add --resume to continue\n  the server is shutting down"
        ),
        "{stderr}"
    );
    drop(input);
    let file = folder.write("in.jsonl", &(first.to_owned() + rest));
    assert_eq!(run(&["sweep", &file, "--out", &out, "--resume"]).0, 0);
    assert!(fs::read_to_string(&out).unwrap() == run(&["sweep", &file]).1);
}

#[test]
fn an_idle_or_cut_stream_is_reported() {
    let folder = Folder::new("sweep-cut");
    let server = Server::start(&["--stream-idle", "1s"]);
    let mut child = command(&["sweep", "-", "--server", &server.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(many(2).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(lines(&String::from_utf8(output.stdout).unwrap()).len(), 2);
    assert!(
        stderr.contains("sweep stopped after 2 answers; with --out FILE") && stderr.contains("no request arrived for"),
        "{stderr}"
    );

    // A server that accepts the connection and then closes it.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let gone = thread::spawn(move || {
        let (mut socket, _) = deaf.accept().unwrap();
        let _ = socket.read(&mut [0; 16]);
    });
    let file = folder.write("in.jsonl", &many(2));
    let (code, stderr) = refuses(&["sweep", &file, "--server", &url]);
    gone.join().unwrap();
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
}

#[test]
fn the_scenario_of_a_server_can_be_named() {
    let folder = Folder::new("sweep-scenario");
    let scenario = folder.write("reservoir.yaml", reservoir());
    let server = Server::start(&["--scenario", "scenarios/ukraine-2025.yaml", "--scenario", &scenario]);
    let own = r#"{"request":{"proposal":{"terms":[{"issue":"release","quantity":10}]}}}"#;
    let file = folder.write("in.jsonl", &(own.to_owned() + "\n" + &named("a", "strong-army")));
    let (code, stdout, stderr) = run(&["sweep", &file, "--server", &server.url, "--scenario-name", "reservoir"]);
    assert_eq!((code, stderr.as_str()), (0, "2 answered\n"), "{stdout}");
    let scenarios: Vec<Value> = lines(&stdout).iter().map(|answer| answer["evaluation"]["scenario"].clone()).collect();
    assert_eq!(scenarios, ["scenarios/reservoir", "scenarios/ukraine-2025"]);
}

#[test]
fn empty_input_has_no_answers_and_a_reader_may_close_the_pipe() {
    let folder = Folder::new("sweep-ends");
    let empty = folder.write("empty.jsonl", "\n \n");
    assert_eq!(run(&["sweep", &empty]), (0, String::new(), "0 answered\n".to_owned()));
    let file = folder.write("in.jsonl", &many(2_000));
    let server = Server::start(&[]);
    for target in [&[][..], &["--server", &server.url]] {
        let arguments = [&["sweep", &file], target].concat();
        let mut child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(line.starts_with("{\"id\":\"n0\""), "{line}");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{target:?}");
    }
}
