//! Logs: invisible characters are escaped in every field of every log, unknown variables are warned of, and strangers
//! cannot fill the log.

use crate::support::binary::{self, Folder, command};
use crate::support::credentials::entry;
use crate::support::program::Program;
use crate::support::{Client, EVALUATE, LIST, frame};
use detente::schema::json::from_json;
use detente::schema::proto::v1::EvaluateProposalRequest;
use prost::Message;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use tonic::Code;

/// Bidirectional controls, and other characters that nobody sees; the last one is beyond the basic plane.
const HIDDEN: [char; 17] = [
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{200e}',
    '\u{200f}',
    '\u{61c}',
    '\u{a0}',
    '\u{200b}',
    '\u{2028}',
    '\u{9b}',
    '\u{e0041}',
];

fn hidden() -> String {
    HIDDEN.iter().flat_map(|hidden| [*hidden, '-']).collect()
}

fn escaped() -> String {
    HIDDEN
        .iter()
        .map(|hidden| {
            let units: Vec<String> =
                hidden.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            units.concat() + "-"
        })
        .collect()
}

fn request() -> Value {
    json!({"proposal": {"title": format!("draft {}", hidden()), "terms": [{"issue": "ceasefire_days", "quantity": "30"}]}})
}

/// The log of a server whose scenario file has a name with hidden characters, and which logs a request with them.
async fn log(format: &str, decisions: &str) -> Vec<String> {
    let folder = Folder::new("logs-hidden");
    let file = folder.write(&format!("{}.yaml", hidden()), detente::serving::source::EMBEDDED);
    let place = folder.0.display().to_string();
    let settings = ["--log", "info,detente::call=debug", "--log-content", "true", "--log-format", format];
    let all = [&settings[..], &["--scenarios", &place, "--decision-log", decisions]].concat();
    let mut program = Program::start(&all);
    let message: EvaluateProposalRequest = from_json("EvaluateProposalRequest", &request().to_string()).unwrap();
    let answer = program.client().await.call(EVALUATE, &[], frame(&message.encode_to_vec())).await;
    assert_eq!(answer.code(), Code::Ok);
    fs::write(&file, "broken").unwrap();
    program.signal("-HUP");
    program.until("the faulty file is logged", async |program| program.logged("cannot be used")).await;
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let log = program.log.lock().unwrap().clone();
    assert!(!log.iter().any(|line| line.contains(HIDDEN)), "{log:#?}");
    log
}

#[tokio::test]
async fn invisible_characters_are_escaped_in_each_log_and_parsers_read_them_unchanged() {
    let folder = Folder::new("logs-decisions");
    let decisions = folder.0.join("decisions.jsonl").display().to_string();
    let lines = log("json", &decisions).await;
    let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fault = parsed.iter().find(|line| line["message"].as_str().unwrap().contains("cannot be used")).unwrap();
    assert!(fault.to_string().contains(&hidden()), "{fault}");
    let answered = parsed.iter().find_map(|line| line["request"].as_str()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(answered).unwrap(), request());
    // The decision log: the content is the same, so that a replay evaluates the same request.
    let text = fs::read_to_string(&decisions).unwrap();
    assert!(!text.contains(HIDDEN) && text.contains(&escaped()), "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["request"], request());
    let (code, output, error) = binary::run(&["replay", &decisions]);
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    // Text for people: escapes, too, in messages and in fields.
    let lines = log("human", &decisions).await;
    let without_c1 = escaped().split("\\u009b").next().unwrap().to_owned();
    assert!(lines.join("\n").contains(&without_c1), "{lines:#?}");
}

#[tokio::test]
async fn unknown_variables_are_warned_of_with_the_nearest_known_one() {
    let before = "export DETENTE_MAX_CONECTIONS=9 DETENTE_TOKEN_FILE=x DETENTE_SECRET=hunter2";
    let program = Program::start_after(before, &[]);
    assert!(program.logged(
        "the environment variable DETENTE_MAX_CONECTIONS has no effect, because the program does not know it; did you \
         mean `DETENTE_MAX_CONNECTIONS`?"
    ));
    assert!(program.logged("DETENTE_SECRET") && !program.logged("hunter2"));
    assert!(!program.logged("DETENTE_TOKEN_FILE") && !program.logged("DETENTE_ADMIN_LISTEN"));
}

#[test]
fn an_error_in_a_variable_names_the_variable() {
    let missing = "/no/such/file";
    for (variables, arguments, expected) in [
        (&[("DETENTE_MAX_CALLS", "none")][..], &[][..], "'--max-calls <COUNT> (DETENTE_MAX_CALLS)'"),
        (&[("DETENTE_MAX_CALLS", "")], &[], "'--max-calls <COUNT> (DETENTE_MAX_CALLS)'"),
        (&[("DETENTE_LOG_FORMAT", "xml")], &[], "'--log-format <LOG_FORMAT> (DETENTE_LOG_FORMAT)'"),
        (&[("DETENTE_REFLECTION", "perhaps")], &[], "(DETENTE_REFLECTION)'"),
        (&[("DETENTE_ALLOW_PLAINTEXT", "perhaps")], &[], "(DETENTE_ALLOW_PLAINTEXT)'"),
        (&[("DETENTE_DECISION_LOG_MASK", "request.propsal")], &["--decision-log", "-"], "(DETENTE_DECISION_LOG_MASK)'"),
        (&[("DETENTE_TLS_CERT", missing)], &[], "--tls-key <FILE> (DETENTE_TLS_KEY)"),
        (&[("DETENTE_SCENARIO", "a"), ("DETENTE_SCENARIOS", "b")], &[], "(DETENTE_SCENARIO"),
        (&[("DETENTE_SCENARIO", "a"), ("DETENTE_SCENARIOS", "b")], &[], "(DETENTE_SCENARIOS)"),
        (&[("DETENTE_SCENARIO", missing)], &[], "--scenario (DETENTE_SCENARIO): /no/such/file cannot be read"),
        (&[("DETENTE_SCENARIOS", missing)], &[], "--scenarios (DETENTE_SCENARIOS): "),
        (&[("DETENTE_DEFAULT_SCENARIO", "x")], &[], "--default-scenario (DETENTE_DEFAULT_SCENARIO): "),
        (&[("DETENTE_TOKENS", missing)], &[], "--tokens (DETENTE_TOKENS): /no/such/file cannot be read"),
        (&[("DETENTE_TOKENS", "Cargo.toml")], &[], "--tokens (DETENTE_TOKENS): Cargo.toml: "),
        (
            &[("DETENTE_TLS_CERT", "Cargo.toml"), ("DETENTE_TLS_KEY", missing)],
            &[],
            "--tls-key (DETENTE_TLS_KEY): /no/such/file cannot be read",
        ),
        (
            &[("DETENTE_TLS_CERT", "Cargo.toml"), ("DETENTE_TLS_KEY", "Cargo.toml")],
            &[],
            "cannot set up TLS with --tls-cert (DETENTE_TLS_CERT), --tls-key (DETENTE_TLS_KEY): ",
        ),
        (&[("DETENTE_CALLER_BURST", "1")], &[], "--caller-burst (DETENTE_CALLER_BURST) requires --caller-rate ("),
        (&[("DETENTE_DECISION_LOG", "/no/log")], &[], "--decision-log (DETENTE_DECISION_LOG): "),
        (&[("DETENTE_LISTEN", "nowhere")], &[], "DETENTE_LISTEN"),
    ] {
        let mut command = command(&[&["serve"], arguments].concat());
        let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{variables:?}: {stderr}");
        assert!(stderr.contains(expected), "{variables:?}: {stderr}");
    }
}

#[test]
fn an_error_names_a_variable_only_if_the_value_comes_from_it() {
    use std::os::unix::ffi::OsStrExt;
    let run = |arguments: &[&str], variable: &str, value: &[u8]| {
        let mut command = command(arguments);
        let output = command.env(variable, std::ffi::OsStr::from_bytes(value)).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [&["serve", "--max-calls", "none"][..], &["serve", "--max-calls=none"]] {
        let (code, stderr) = run(arguments, "DETENTE_MAX_CALLS", b"7");
        assert!(code == Some(2) && stderr.contains("'--max-calls <COUNT>'"), "{stderr}");
    }
    let (code, stderr) = run(&["serve"], "DETENTE_LOG", b"\xff");
    assert!(code == Some(2) && stderr.contains("the value of DETENTE_LOG is not valid UTF-8"), "{stderr}");
    // Without a command, the program serves.
    let (code, stderr) = run(&[], "DETENTE_THREADS", b"many");
    assert!(code == Some(2) && stderr.contains("(DETENTE_THREADS)"), "{stderr}");
    let (code, stderr) = run(&["red-lines", "--server", "http://127.0.0.1:1"], "DETENTE_TOKEN_FILE", b"");
    assert!(code == Some(2) && stderr.contains("(DETENTE_TOKEN_FILE)"), "{stderr}");
}

async fn list_with(client: &Client, token: &str) -> Code {
    client.call(LIST, &[("authorization", &format!("Bearer {token}"))], frame(&[])).await.code()
}

#[tokio::test]
async fn refused_credentials_do_not_fill_the_log_and_valid_ones_pass() {
    const CALLS: usize = 2_000;
    let folder = Folder::new("logs-refused");
    let tokens = folder.write("tokens.yaml", &format!("tokens:\n{}", entry("known", "valid", "reader", "")));
    let mut program = Program::start(&["--tokens", &tokens]);
    let client = program.client().await;
    let begun = std::time::Instant::now();
    for number in 0..CALLS {
        assert_eq!(list_with(&client, &format!("wrong-{number}")).await, Code::Unauthenticated);
        if number % 100 == 0 {
            assert_eq!(list_with(&client, "valid").await, Code::Ok);
        }
    }
    let seconds = begun.elapsed().as_secs() as usize + 2;
    program.until("a summary is logged", async |program| program.logged("further calls were not answered")).await;
    // The failed calls of a known caller at the same address have lines of their own.
    let missing = client.call("/no.such/Method", &[("authorization", "Bearer valid")], frame(&[])).await;
    assert_eq!(missing.code(), Code::Unimplemented);
    program.signal("-TERM");
    assert_eq!(program.ended().await, Some(0));
    let log = program.log.lock().unwrap().clone();
    let events: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused = |event: &&Value| event["message"] == "not answered" && event["reason"] == "UNAUTHENTICATED";
    let lines = events.iter().filter(refused).count();
    assert!((10..=10 * seconds).contains(&lines), "{lines} lines in {seconds} s");
    assert!(events.iter().any(|event| event["message"] == "not answered" && event["caller"] == "known"), "{log:#?}");
    // Each refused call has a line of its own, or is in a summary.
    let further = events.iter().filter(|event| event["calls"].is_u64() && event["reasons"].is_string());
    let further: u64 = further.map(|event| event["calls"].as_u64().unwrap()).sum();
    assert_eq!(lines + usize::try_from(further).unwrap(), CALLS, "{log:#?}");
}
