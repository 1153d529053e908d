//! `detente replay`, which evaluates the requests in a decision log again: the answers that have changed since the log
//! was written, the lines that cannot be replayed, and the exit codes.

use crate::support::binary::{Folder, command, refuses, run};
use crate::support::served::Server;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::Stdio;

const SCENARIO: &str = "scenarios/ukraine-2025.yaml";

fn requests() -> Vec<Value> {
    let named = |proposal: &str| json!({"proposalName": format!("scenarios/ukraine-2025/proposals/{proposal}")});
    vec![
        named("european-force"),
        named("jeddah-ceasefire"),
        named("strong-army"),
        json!({"proposal": {"terms": [{"issue": "sanctions", "choice": "lift"}]}}),
        json!({"proposal": {}, "asOf": {"year": 2024, "month": 6, "day": 30}}),
        json!({"proposal": {}, "hypotheses": [{"dropRedLine": "ru-no-nato-forces"}], "view": "EVALUATION_VIEW_FULL"}),
    ]
}

/// The lines of the decision log that a server with the bundled scenario would write, built from the answers of
/// `detente sweep`.
fn log(folder: &Folder) -> Vec<Value> {
    let lines = requests().into_iter().map(|request| json!({ "request": request }).to_string() + "\n");
    let (code, answers, _) = run(&["sweep", &folder.write("requests.jsonl", &lines.collect::<String>())]);
    assert_eq!(code, 0);
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), requests().len());
    let line = |(at, (mut request, answer)): (usize, (Value, Value))| {
        let evaluation = &answer["evaluation"];
        let findings = evaluation["findings"].as_array().cloned().unwrap_or_default();
        let crossed = findings.iter().filter(|finding| finding["status"] == "RED_LINE_STATUS_CROSSED");
        let crossed = crossed.map(|finding| json!({"red_line": finding["redLine"], "firmness": finding["firmness"]}));
        let day = &evaluation["asOf"];
        // The request pins a revision that no server has any more.
        request["revision"] = "0123456789abcdef".into();
        json!({
            "time": format!("2026-11-23T12:00:0{at}.123456Z"),
            "request_id": format!("r-{at}"),
            "caller": "dashboards",
            "method": "EvaluateProposal",
            "scenario": "scenarios/ukraine-2025",
            "revision": evaluation["revision"],
            "as_of": format!("{:04}-{:02}-{:02}", day["year"].as_u64().unwrap(), day["month"].as_u64().unwrap(), day["day"].as_u64().unwrap()),
            "verdict": evaluation["verdict"],
            "could_become": evaluation["couldBecome"],
            "crossed": crossed.collect::<Value>(),
            "cached": false,
            "duration_us": 41,
            "request": request,
        })
    };
    requests().into_iter().zip(answers).enumerate().map(line).collect()
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

/// Writes a copy of the bundled scenario with parts of its text replaced. Returns the path.
fn changed(folder: &Folder, replaced: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(SCENARIO).unwrap();
    for (old, new) in replaced {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    folder.write("changed.yaml", &text)
}

/// The bundled scenario with changes: one red line that no logged proposal crosses any more, one that is firm instead
/// of negotiable, and a proposal with another id.
fn other(folder: &Folder) -> String {
    let nato = "rejects: force_contributors.exists(m, m in european_and_nato_states)";
    let kursk = "rejects: 'ceasefire_scope != \"none\" && kursk_allegations == \"unaddressed\"'\n    firmness: ";
    let replaced = [
        (nato.to_owned(), format!("{nato} && ceasefire_days > 1000")),
        (format!("{kursk}negotiable"), format!("{kursk}firm")),
        ("- id: strong-army".to_owned(), "- id: stronger-army".to_owned()),
    ];
    changed(folder, &replaced.each_ref().map(|(old, new)| (old.as_str(), new.as_str())))
}

fn json_lines(text: &str) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    (lines, summary["summary"].clone())
}

#[test]
fn the_same_answers_are_not_a_change() {
    let folder = Folder::new("replay-same");
    let file = folder.write("decisions.jsonl", &text(&log(&folder)));
    let (code, stdout, stderr) = run(&["replay", &file]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (head, revision) = stdout.split_once('\n').unwrap();
    assert_eq!(head, "6 decisions replayed: 6 the same, 0 changed, 0 refused");
    assert!(revision.starts_with("scenarios/ukraine-2025, revision ") && revision.ends_with('\n'), "{stdout}");
    let (code, stdout, _) = run(&["replay", &file, "--output", "json", "--scenario", SCENARIO]);
    let (changes, summary) = json_lines(&stdout);
    assert_eq!((code, changes.len(), &summary["same"]), (0, 0, &json!(6)));
}

#[test]
fn changes_are_reported_with_their_red_lines() {
    let folder = Folder::new("replay-changed");
    let mut lines = log(&folder);
    // Change the log, so that it has one red line that the answers do not have, lacks one that they have, and states a
    // lower firmness for another.
    let crossed = lines[3]["crossed"].as_array_mut().unwrap();
    crossed.clear();
    crossed.push(json!({"red_line": "scenarios/ukraine-2025/redLines/gone", "firmness": "FIRMNESS_FIRM"}));
    lines[0]["crossed"][1]["firmness"] = "FIRMNESS_TENTATIVE".into();
    let first = lines[0]["crossed"].as_array_mut().unwrap().pop().unwrap();
    let file = folder.write("decisions.jsonl", &text(&lines));
    let scenario = other(&folder);
    let (code, stdout, stderr) = run(&["replay", &file, "--scenario", &scenario]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    let (head, revision) = stdout.split_once("\nscenarios/ukraine-2025, revision ").unwrap();
    assert!(revision.len() == 13, "{stdout}");
    assert_eq!(head, GOLDEN.trim_end());

    let (code, stdout, _) = run(&["replay", &file, "--scenario", &scenario, "--output", "json"]);
    let (changes, summary) = json_lines(&stdout);
    assert_eq!((code, changes.len()), (1, 4));
    let firmness = json!([{
        "red_line": lines[0]["crossed"][1]["red_line"],
        "was": "FIRMNESS_TENTATIVE",
        "is": "FIRMNESS_FIRM",
    }]);
    assert_eq!(changes[0]["newly_crossed"], json!([first]));
    assert_eq!(changes[0]["no_longer_crossed"], json!([lines[0]["crossed"][0]]));
    assert_eq!(changes[0]["firmness"], firmness);
    assert_eq!((&changes[0]["change"], &changes[0]["request_id"]), (&json!("changed"), &json!("r-0")));
    assert_eq!((&changes[0]["log"], &changes[0]["line"]), (&json!(file), &json!(1)));
    assert_eq!(changes[1]["is"], json!({"verdict": "VERDICT_CONTESTED", "could_become": "VERDICT_BLOCKED"}));
    assert_eq!((&changes[2]["change"], &changes[2]["reason"]), (&json!("refused"), &json!("PROPOSAL_NOT_FOUND")));
    for (key, count) in [("replayed", 6), ("same", 2), ("changed", 3), ("refused", 1), ("not_replayable", 0)] {
        assert_eq!(summary[key], count, "{key}");
    }
}

/// The expected report of changes.
const GOLDEN: &str = "\
TIME                         WAS            IS             REQUEST
2026-11-23T12:00:00.123456Z  blocked        blocked        r-0 of dashboards (line 1)
    newly crossed: ru-army-reduced (tentative)
    no longer crossed: ru-no-nato-forces (absolute)
    crossed with a different firmness: ru-no-foreign-forces (firm, was tentative)
2026-11-23T12:00:01.123456Z  contested      contested      r-1 of dashboards (line 2)
    could become blocked, was contested
2026-11-23T12:00:02.123456Z  contested      refused        r-2 of dashboards (line 3)
    PROPOSAL_NOT_FOUND: there is no proposal `scenarios/ukraine-2025/proposals/strong-army`; did you
      mean `scenarios/ukraine-2025/proposals/stronger-army`? (NotFound)
2026-11-23T12:00:03.123456Z  unopposed      unopposed      r-3 of dashboards (line 4)
    no longer crossed: gone (firm)

6 decisions replayed: 2 the same, 3 changed, 1 refused";

#[test]
fn a_later_default_day_is_not_a_change() {
    let folder = Folder::new("replay-day");
    let nato = "rejects: force_contributors.exists(m, m in european_and_nato_states)\n    firmness: absolute\n    held: [{first_recorded: 2025-03-06";
    let scenario = changed(
        &folder,
        &[
            (nato, &format!("{nato}, until: 2025-03-16")),
            ("to: 2025-03-14}\nas_of: 2025-03-14", "to: 2025-03-20}\nas_of: 2025-03-20"),
        ],
    );
    let lines = log(&folder);
    let file = folder.write("decisions.jsonl", &text(&lines));
    assert_eq!(run(&["replay", &file, "--scenario", &scenario]).0, 0);
    let mut moved = lines[0].clone();
    moved["as_of"] = "2025-03-20".into();
    let file = folder.write("moved.jsonl", &text(&[moved]));
    let (code, stdout, _) = run(&["replay", &file, "--scenario", &scenario]);
    assert!(code == 1 && stdout.contains("no longer crossed: ru-no-nato-forces (absolute)"), "{stdout}");
}

#[test]
fn lines_that_cannot_be_replayed_are_counted_by_reason() {
    let folder = Folder::new("replay-unfit");
    let good = log(&folder).remove(0);
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        line.to_string()
    };
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().remove("request");
    bare["left_out"] = "the line would have 2000000 bytes".into();
    let lines = [
        good.to_string(),
        String::new(),
        "not JSON".to_owned(),
        "}".to_owned(),
        "[1]".to_owned(),
        "{\"x\":\"".to_owned() + &"y".repeat(5 << 20) + "\"}",
        "{\"level\":\"info\"}".to_owned(),
        with("verdict", json!("VERDICT_SPLENDID")),
        with("crossed", json!([{"red_line": "x"}])),
        with("request", json!("masked")),
        with("request", json!({"proposal": {"terms": [{"issue": "sanctions", "choice": "masked"}]}})),
        with("verdict", json!("masked")),
        with("caller", json!("masked")),
        bare.to_string(),
        with("request", json!({"proposals": []})),
        with("as_of", json!("yesterday")),
        with("scenario", json!("scenarios/reservoir")),
        with("time", json!("\u{1b}[2J\n")),
        good.to_string()[..300].to_owned(),
    ];
    let file = folder.0.join("decisions.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let file = file.display().to_string();
    let (code, stdout, stderr) = run(&["replay", &file]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("3 decisions replayed: 3 the same, 0 changed, 0 refused\n"), "{stdout}");
    let (_, rest) = stdout.split_once("\n1 line on other scenarios left out\n\n14 lines not replayed\n").unwrap();
    let rows: Vec<String> = rest.replace(&file, "LOG").lines().map(str::to_owned).collect();
    for (row, expected) in rows.iter().zip([
        "LINES  REASON                             FIRST",
        "1      the line cannot be read            LOG, line 6: the line is longer than 4194304 bytes, the limit for a decision",
        "2      the line is not JSON               LOG, line 3: expected ident at line 1 column 2",
        "1      the line is cut off                LOG, line 19: EOF while parsing",
        "4      the line is not a decision         LOG, line 5: not an object",
        "3      a needed value is masked           LOG, line 10: `request`",
        "1      the request is missing             LOG, line 14: the line would have 2000000 bytes",
        "1      the request is of another version  LOG, line 15: unrecognized field name 'proposals'",
        "1      the day is missing                 LOG, line 16: `as_of` is `yesterday`",
    ]) {
        assert!(row.starts_with(expected), "{row}\n{expected}");
    }
    assert_eq!(rows.len(), 9, "{rest}");
    let (_, summary) = json_lines(&run(&["replay", &file, "--output", "json"]).1);
    assert_eq!((&summary["not_replayable"], &summary["other_scenarios"]), (&json!(14), &json!(1)));
    assert_eq!(summary["reasons"][4]["first"]["line"], 10);
    // Control characters of a log never reach the terminal.
    let (code, stdout, _) = run(&["replay", &file, "--scenario", &other(&folder)]);
    assert!(code == 1 && stdout.contains("\u{fffd}[2J\u{fffd}"), "{stdout}");
}

#[test]
fn an_empty_log_has_nothing_to_replay() {
    let folder = Folder::new("replay-empty");
    let empty = folder.write("empty.jsonl", "");
    let (code, stdout, stderr) = run(&["replay", &empty]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("Nothing to replay: the log is empty\nscenarios/ukraine-2025, revision "), "{stdout}");
    let (changes, summary) = json_lines(&run(&["replay", &empty, "--output", "json"]).1);
    assert!(changes.is_empty() && summary["replayed"] == 0);
    let mut masked = log(&folder);
    masked.iter_mut().for_each(|line| line["request"] = "masked".into());
    let (code, stdout, _) = run(&["replay", &folder.write("masked.jsonl", &text(&masked))]);
    assert!(
        code == 0 && stdout.starts_with("Nothing to replay\n") && stdout.contains("6 lines not replayed"),
        "{stdout}"
    );
}

#[test]
fn logs_standard_input_and_a_server_give_the_same_report() {
    let folder = Folder::new("replay-server");
    let lines = log(&folder);
    let many: String = (0..200).map(|_| text(&lines)).collect();
    let (first, second) = (folder.write("log.1", &many), folder.write("log", &(text(&lines[..2]) + "torn")));
    let scenario = other(&folder);
    let (code, here, _) = run(&["replay", &first, &second, "--scenario", &scenario]);
    assert!(code == 1 && here.contains("1,202 decisions replayed: 600 the same, 402 changed, 200 refused"), "{here}");
    assert!(here.contains(&format!("({first}, line 1)")) && here.contains(&format!("({second}, line 2)")));
    let server = Server::start(&["--scenario", &scenario]);
    let (code, there, stderr) = run(&["replay", &first, &second, "--server", &server.url]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    assert!(here == there, "{there}");
    let arguments = ["replay", "-", "--server", &server.url, "--output", "json"];
    let mut child = command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text(&lines).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (changes, summary) = json_lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((output.status.code(), changes.len(), &summary["replayed"]), (Some(1), 3, &json!(6)));
    assert_eq!(changes[0]["log"], "standard input");
}

#[test]
fn unreadable_logs_and_unreachable_servers_are_reported() {
    let folder = Folder::new("replay-refused");
    let file = folder.write("decisions.jsonl", &text(&log(&folder)));
    assert_eq!(refuses(&["replay"]).0, 2);
    let url = "http://127.0.0.1:1";
    assert_eq!(refuses(&["replay", &file, "--scenario", SCENARIO, "--server", url]).0, 2);
    let (code, stderr) = refuses(&["replay", &file, "nowhere.jsonl"]);
    assert!(code == 1 && stderr.contains("nowhere.jsonl cannot be read"), "{stderr}");
    let (code, stderr) = refuses(&["replay", &file, "--server", url]);
    assert!(code == 1 && stderr.contains("no server answers"), "{stderr}");
    let folder = folder.0.display().to_string();
    let (code, stderr) = refuses(&["replay", &folder]);
    assert!(code == 1 && stderr.contains("replay stopped after 0 decisions"), "{stderr}");
}
