//! The program as a server, and the commands that ask it with `--server`.

use crate::support::binary::{Folder, command, prints, refuses, reservoir, run};
use crate::support::served::Server;
use std::net::TcpListener;

#[test]
fn a_server_and_a_file_give_the_same_answers() {
    let folder = Folder::new("same");
    let yaml = folder.write("force.yaml", "terms: {force_contributors: {includes: [france]}, sanctions: unsettled}\n");
    let server = Server::start(&[]);
    for arguments in [
        &["evaluate", "european-force"][..],
        &["evaluate", "european-force", "--full"],
        &["evaluate", "european-force", "--output", "json"],
        &["evaluate"],
        &["evaluate", "guarantors-2022", "--given", "guarantors_willing=false", "--clear", "guarantee_talks"],
        &["evaluate", "jeddah-ceasefire", "--as-of", "2024-06-30", "--set", "ceasefire_days={min: 5, max: 60}"],
        &["evaluate", &yaml, "--set", "force_mandate={any_of: [un, coalition]}", "--full"],
        &[
            "evaluate",
            "strong-army",
            "--suppose",
            "drop ru-army-reduced",
            "--suppose",
            "russia rejects true && sanctions == \"keep\"",
        ],
        &["history", "jeddah-ceasefire", "--from", "2024-06-01", "--full"],
        &["history", "european-force", "--suppose", "ru-no-nato-forces=tentative", "--output", "json"],
        &["compare"],
        &["compare", "strong-army", &yaml, "--as-of", "2025-03-01", "--output", "json"],
        &["red-lines"],
        &["red-lines", "--output", "json"],
        &["red-lines", "--party", "russia", "--firmness-at-least", "firm"],
        &["red-lines", "--held-on", "2023-01-01", "--order-by", "firmness desc, id"],
        &["red-lines", "ru-no-foreign-forces"],
    ] {
        let here = prints(arguments);
        assert!(!here.is_empty());
        assert_eq!(prints(&[arguments, &["--server", &server.url]].concat()), here, "{arguments:?}");
    }
    for (arguments, code) in [
        (&["evaluate", "jedda-ceasefire"][..], 1),
        (&["evaluate", "jeddah-ceasefire", "--clear", "sanction", "--as-of", "2031-01-01"], 1),
        (&["evaluate", "--set", "sanctions=lfit"], 2),
        (&["red-lines", "--party", "rusia", "--order-by", "hardness"], 1),
        (&["red-lines", "ru-no-nato-force"], 1),
    ] {
        let here = refuses(arguments);
        assert_eq!(here.0, code, "{arguments:?}");
        assert_eq!(refuses(&[arguments, &["--server", &server.url]].concat()), here, "{arguments:?}");
    }
}

#[test]
fn scenario_files_are_served_and_the_first_is_the_default() {
    let folder = Folder::new("served");
    let file = folder.write("reservoir.yaml", reservoir());
    let server = Server::start(&["--scenario", &file, "--scenario", "scenarios/ukraine-2025.yaml"]);
    for expected in
        ["scenarios/reservoir", "default=true parties=2", "scenarios/ukraine-2025", "default=false parties=10"]
    {
        assert!(server.told.contains(expected), "{expected}: {}", server.told);
    }
    let there = prints(&["evaluate", "draft", "--server", &server.url]);
    assert!(there.starts_with("UNDETERMINED (could become blocked) on 2025-06-30\nscenarios/reservoir"), "{there}");
    assert_eq!(there, prints(&["evaluate", "draft", "--scenario", &file]));
    let lines = prints(&["red-lines", "--server", &server.url]);
    assert_eq!(lines, prints(&["red-lines", "--scenario", &file]));
    for name in ["ukraine-2025", "scenarios/ukraine-2025"] {
        let other = &["--server", &server.url, "--scenario-name", name];
        assert_eq!(prints(&[&["evaluate", "strong-army"], &other[..]].concat()), prints(&["evaluate", "strong-army"]));
        assert_eq!(prints(&[&["red-lines"], &other[..]].concat()), prints(&["red-lines"]));
    }
    let unknown = ["evaluate", "draft", "--server", &server.url, "--scenario-name", "reservoire"];
    let (code, stderr) = refuses(&unknown);
    assert_eq!(code, 1);
    assert!(stderr.contains("there is no scenario `scenarios/reservoire`; did you mean"), "{stderr}");
}

#[test]
fn variables_set_what_flags_leave_out() {
    let folder = Folder::new("environment");
    let first = folder.write("reservoir.yaml", reservoir());
    let second = folder.write("lake.yaml", &reservoir().replace("scenario: reservoir", "scenario: lake"));
    let mut bare = command(&[]);
    bare.env("DETENTE_LISTEN", "127.0.0.1:0").env("DETENTE_SCENARIO", format!("{first},{second}"));
    let server = Server::spawn(bare);
    let log = &server.told;
    assert!(log.contains("scenarios/reservoir ") && log.contains("scenarios/lake "), "{log}");
    prints(&["evaluate", "draft", "--server", &server.url, "--scenario-name", "lake"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut overridden = command(&["serve", "--listen", "127.0.0.1:0"]);
    overridden.env("DETENTE_LISTEN", taken.local_addr().unwrap().to_string());
    Server::spawn(overridden);

    for (name, value) in [("DETENTE_MAX_CONNECTIONS", "0"), ("DETENTE_DRAIN_PAUSE", "2 days"), ("DETENTE_LOG", "a=b=c")]
    {
        let output = command(&["serve", "--listen", "127.0.0.1:0"]).env(name, value).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        let option = name.trim_start_matches("DETENTE_").to_lowercase().replace('_', "-");
        assert!(stderr.contains(&format!("--{option}")) && stderr.contains(value), "{name}: {stderr}");
    }
}

#[test]
fn a_server_that_cannot_start_reports_the_reason() {
    let folder = Folder::new("unable");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let faulty = folder.write("faulty.yaml", &reservoir().replace("release >= 40", "relese >= 40"));
    let good = folder.write("good.yaml", reservoir());
    for (options, expected) in [
        (&["--listen", &address][..], &["is in use, perhaps by another instance; choose another", "--listen"][..]),
        (&["--listen", "here"], &["`here` is not an address", "127.0.0.1:50051"]),
        (&["--scenario", "nowhere.yaml"], &["nowhere.yaml cannot be read"]),
        (&["--scenario", &good, "--scenario", &good], &["`reservoir`"]),
        (&["--scenario", &faulty], &["did you mean `release`?", "faulty.yaml:17:", "relese >= 40", "1 fault in "]),
    ] {
        // Each of these errors occurs before the server listens.
        let (code, stderr) = refuses(&[&["serve"], options].concat());
        assert_eq!(code, 2, "{options:?}: {stderr}");
        for expected in expected {
            assert!(stderr.contains(expected), "{options:?}: {expected}: {stderr}");
        }
        assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
        assert!(!stderr.contains("listening on"), "{stderr}");
    }
}

#[test]
fn a_server_exits_with_zero_on_sigterm_and_clients_report_that_it_is_gone() {
    let server = Server::start(&["--drain-pause", "0s"]);
    let url = server.url.clone();
    prints(&["evaluate", "--server", &url]);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("SIGTERM: draining") && log.trim_end().ends_with("ended"), "{log}");
    for arguments in [&["evaluate", "european-force"][..], &["red-lines"], &["red-lines", "ru-kursk"]] {
        let (code, stdout, stderr) = run(&[arguments, &["--server", &url]].concat());
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(stderr.starts_with(&format!("error: no server answers at {url}")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn json_logs_are_one_object_per_line() {
    let mut served = command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    served.env("DETENTE_LOG", "info,detente::call=debug");
    let server = Server::spawn(served);
    prints(&["evaluate", "european-force", "--server", &server.url]);
    let start = server.told.clone();
    let (_, rest) = server.terminate();
    let events: Vec<serde_json::Value> =
        (start + &rest).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(events.iter().any(|event| event["red_lines"] == 24 && event["message"] == "scenarios/ukraine-2025"));
    assert!(events.iter().any(|event| event["target"] == "detente::call"), "{events:?}");
}
