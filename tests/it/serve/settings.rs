//! `detente serve` rejects wrong settings at its start, and its help lists all settings.

use crate::support::binary::{Folder, command, prints, refuses};
use crate::support::credentials::{Authorities, entry};
use std::collections::BTreeSet;

#[test]
fn invalid_settings_are_rejected_at_startup() {
    let folder = Folder::new("settings");
    let file = |name: &str, text: &str| folder.write(name, text);
    let authority = Authorities::new("authority");
    let (one, other) = (authority.server(), authority.server());
    let (cert, key) = (file("cert.pem", &one.certificate), file("key.pem", &one.key));
    let (other_key, missing) = (file("other.pem", &other.key), folder.0.join("missing").display().to_string());
    let tokens = file("tokens.yaml", &format!("tokens:\n{}", entry("a", "x", "admin", "")));
    let keys = file("keys.json", "{\"keys\": []}");
    let large = file("large", &"#".repeat(256 * 1024 + 1));
    let empty = folder.0.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let empty = empty.display().to_string();
    for (arguments, expected) in [
        (vec!["--listen", "nowhere"], "--listen"),
        (vec!["--listen", "0.0.0.0:0"], "--allow-plaintext"),
        (vec!["--listen", "0.0.0.0:0", "--allow-plaintext"], "--allow-anonymous"),
        (vec!["--listen", "0.0.0.0:0", "--allow-anonymous"], "--allow-plaintext"),
        (vec!["--listen", "[::]:0", "--tls-cert", &cert, "--tls-key", &key], "--allow-anonymous"),
        (vec!["--admin-listen", "nowhere"], "--admin-listen"),
        (vec!["--tls-cert", &cert], "--tls-key"),
        (vec!["--tls-key", &key], "--tls-cert"),
        (vec!["--tls-client-ca", &cert], "--tls-cert"),
        (vec!["--tls-cert", &missing, "--tls-key", &key], "missing cannot be read"),
        (vec!["--tls-cert", &cert, "--tls-key", &other_key], "cannot set up TLS"),
        (vec!["--tls-cert", &key, "--tls-key", &cert], "cannot set up TLS"),
        (vec!["--tokens", &missing], "--tokens"),
        (vec!["--tokens", &tokens], "line 2"),
        (vec!["--jwks", &keys], "--jwt-issuer"),
        (vec!["--jwks", &keys, "--jwt-issuer", "a", "--jwt-audience", "b"], "no usable key"),
        (vec!["--jwt-issuer", "a"], "--jwks"),
        (vec!["--jwt-algorithms", "HS256"], "RS256"),
        (vec!["--jwt-algorithms", "none"], "RS256"),
        (vec!["--scenario", "a.yaml", "--scenarios", "b"], "cannot be used with"),
        (vec!["--scenarios", &missing], "cannot be read"),
        (vec!["--scenarios", &empty], "no scenario file"),
        (vec!["--default-scenario", "nobody"], "`nobody`"),
        (vec!["--max-scenario-bytes", "63KiB"], "64KiB to 16MiB"),
        (vec!["--max-scenario-bytes", "17MiB"], "64KiB to 16MiB"),
        (vec!["--scenario", &large, "--max-scenario-bytes", "64KiB"], "exceeds the limit of 65536 bytes"),
        (vec!["--tls-cert", &large, "--tls-key", &key], "larger than 262144 bytes"),
        (vec!["--tls-cert", &cert, "--tls-key", &large], "larger than 65536 bytes"),
        (vec!["--max-calls", "0"], "1..=1000000"),
        (vec!["--threads", "1025"], "0..=1024"),
        (vec!["--max-connections", "1000001"], "1..=1000000"),
        (vec!["--max-connections-per-address", "1000001"], "0..=1000000"),
        (vec!["--max-streams", "0"], "1..=10000"),
        (vec!["--max-header-bytes", "1023"], "1KiB to 1MiB"),
        (vec!["--max-request-bytes", "65MiB"], "1KiB to 64MiB"),
        (vec!["--receive-timeout", "10ms"], "at least a second"),
        (vec!["--max-connection-age", "25h"], "at most a day"),
        (vec!["--caller-burst", "5"], "--caller-burst (DETENTE_CALLER_BURST) requires --caller-rate"),
        (vec!["--otlp-endpoint", "collector:4317"], "http://127.0.0.1:4317"),
        (vec!["--otlp-endpoint", "http://127.0.0.1:99999"], "http://127.0.0.1:4317"),
        #[cfg(not(feature = "otlp"))]
        (vec!["--otlp-endpoint", "http://127.0.0.1:4317"], "build with `--features otlp`"),
        (vec!["--trace-sample", "1.1"], "from 0 to 1"),
        (vec!["--decision-log", "/no/such/folder/log"], "--decision-log"),
        (vec!["--decision-log-mask", "caller"], "(DETENTE_DECISION_LOG_MASK) requires --decision-log"),
        (vec!["--decision-log", "-", "--decision-log-mask", "nobody"], "nobody"),
        (vec!["--decision-log", "-", "--decision-log-mask", "request.propsal"], "did you mean `request.proposal`?"),
        (
            vec!["--decision-log", "-", "--decision-log-mask", "caller,request.proposal.tems"],
            "did you mean `request.proposal.terms`?",
        ),
        (vec!["--decision-log-max-bytes", "1"], "64KiB"),
        (vec!["--reload-interval=-1s"], "negative"),
        (vec!["--log", "nonsense=loud"], "--log"),
        (vec!["--drain-timeout", "soon"], "10s"),
    ] {
        let all: Vec<&str> =
            ["serve", "--listen", "127.0.0.1:0"].into_iter().chain(arguments.iter().copied()).collect();
        let all = if arguments[0] == "--listen" { [&["serve"], &arguments[..]].concat() } else { all };
        let (code, stderr) = refuses(&all);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_help_lists_every_setting_in_its_group_with_its_variable() {
    let help = prints(&["serve", "--help"]);
    let groups: Vec<&str> = help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
    assert_eq!(
        groups,
        ["Options:", "Listening:", "Scenarios:", "TLS:", "Callers:", "Limits:", "Observability:", "Shutdown:"]
    );
    let flags: BTreeSet<String> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .map(|line| line.split([' ', '[']).next().unwrap().to_owned())
        .collect();
    assert!(flags.len() > 45, "{flags:?}");
    for flag in &flags {
        let variable = format!("DETENTE_{}", flag.to_uppercase().replace('-', "_"));
        assert!(help.contains(&format!("[env: {variable}=")), "--{flag} has no variable {variable}");
    }
}

#[test]
fn variables_are_read_and_flags_override_them() {
    let start = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = start(&[], &[("DETENTE_MAX_CALLS", "none")]);
    assert!(code == Some(2) && stderr.contains("--max-calls"), "{stderr}");
    let (code, stderr) = start(&["--drain-timeout", "never"], &[("DETENTE_DRAIN_TIMEOUT", "1s")]);
    assert!(code == Some(2) && stderr.contains("never"), "{stderr}");
    let (code, stderr) = start(&[], &[("DETENTE_ALLOW_PLAINTEXT", "perhaps")]);
    assert!(code == Some(2) && stderr.contains("true, false"), "{stderr}");
}
