//! Reloads of the running program: what is revoked, replaced or removed takes effect on time, whatever else happens.

use crate::support;
use crate::support::binary::Folder;
use crate::support::credentials::{AUDIENCE, Authorities, ISSUER, Signer, claims, entry, jwks};
use crate::support::program::Program;
use crate::support::{EVALUATE, LIST, frame};
use detente::schema::proto::v1::evaluate_proposal_request::Subject;
use detente::schema::proto::v1::{EvaluateProposalRequest, Proposal};
use detente::serving::source;
use jsonwebtoken::{Algorithm, Header};
use prost::Message;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// The time within which a revoked token must be refused once the server has noticed, or could notice, the change.
const REVOCATION: Duration = Duration::from_secs(5);

async fn listed(program: &Program, token: &str) -> Code {
    let header = format!("Bearer {token}");
    program.client().await.call(LIST, &[("authorization", &header)], frame(&[])).await.code()
}

/// A valid scenario of this number of red lines, each of which takes about 10 ms to compile.
///
/// The first part of a condition has 512 prime implicants, which the rest of the condition makes superfluous.
fn heavy(red_lines: usize) -> String {
    let mut text = "scenario: heavy\ntitle: Heavy\ncovers: {from: 2025-01-01, to: 2025-12-31}\nas_of: 2025-06-01\n\
                    sources:\n  - {id: s, title: S, publisher: P}\nparties:\n  - {id: p, name: P, role: principal}\n\
                    issues:\n"
        .to_owned();
    for at in 0..24 {
        let _ = writeln!(text, "  - {{id: f{at}, title: T, question: Q, kind: flag}}");
    }
    text.push_str("red_lines:\n");
    for red_line in 0..red_lines {
        let pair = |at: usize| format!("(f{} || f{})", (2 * at + red_line) % 24, (2 * at + 1 + red_line) % 24);
        let pairs: Vec<_> = (0..9).map(pair).collect();
        let all: Vec<_> = (0..24).map(|at| format!("f{at}")).collect();
        let _ = writeln!(
            text,
            "  - id: l-{red_line}\n    party: p\n    title: T\n    rejects: '({}) && {}'\n    firmness: firm\n    held: \
             [{{from: 2025-01-01}}]\n    evidence: [{{source: s, kind: reported, speaker: S, statement: S}}]",
            pairs.join(" && "),
            all.join(" && ")
        );
    }
    text
}

/// Writes a file beside `path`, and renames it to `path`.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(&next, path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_revoked_while_a_heavy_scenario_is_compiled() {
    let folder = Folder::new("serve-heavy");
    let (scenarios, secrets) = (folder.0.join("scenarios"), folder.0.join("secrets"));
    fs::create_dir_all(&scenarios).unwrap();
    fs::create_dir_all(&secrets).unwrap();
    fs::write(scenarios.join("a.yaml"), source::EMBEDDED).unwrap();
    let tokens = |token: &str| format!("tokens:\n{}", entry("a", token, "reader", ""));
    // The first server is told of changes by the file system. The second one is not, because the file that changes is
    // in another folder than the link that names it.
    let (plain, target, link) = (secrets.join("a.yaml"), secrets.join("b.yaml"), folder.0.join("tokens.yaml"));
    fs::write(&plain, tokens("old")).unwrap();
    fs::write(&target, tokens("old")).unwrap();
    symlink(&target, &link).unwrap();
    let interval = Duration::from_secs(2);
    for (named, changed, interval, limit) in
        [(&plain, &plain, "0s", REVOCATION), (&link, &target, "2s", interval + REVOCATION)]
    {
        let heavy_file = scenarios.join("heavy.yaml");
        let _ = fs::remove_file(&heavy_file);
        let places = [scenarios.display().to_string(), named.display().to_string()];
        let arguments = [
            "--scenarios",
            &places[0],
            "--tokens",
            &places[1],
            "--reload-interval",
            interval,
            "--admin-listen",
            "127.0.0.1:0",
        ];
        let program = Program::start(&arguments);
        assert_eq!(listed(&program, "old").await, Code::Ok);
        replace(&heavy_file, &heavy(1_000));
        // Wait until the server has begun to compile the scenario.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        replace(changed, &tokens("new"));
        let begun = Instant::now();
        while listed(&program, "old").await != Code::Unauthenticated {
            assert!(begun.elapsed() < limit, "not revoked after {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(listed(&program, "new").await, Code::Ok);
        assert!(!program.logged("scenarios/heavy: revision"), "the scenario is too light for this test");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_used_once_it_is_valid() {
    let folder = Folder::new("serve-early");
    let authority = Authorities::new("authority");
    let first = authority.server();
    let (cert, key) = (folder.write("tls.crt", &first.certificate), folder.write("tls.key", &first.key));
    let program = Program::start(&["--tls-cert", &cert, "--tls-key", &key, "--reload-interval", "1s"]);
    let now = SystemTime::now();
    let early = authority.server_between(now + Duration::from_secs(4), now + Duration::from_secs(3_600));
    replace(Path::new(&key), &early.key);
    replace(Path::new(&cert), &early.certificate);
    program.until("the fault is logged", async |program| program.logged("the certificate is not valid before")).await;
    assert!(!program.logged("reloaded: tls"));
    // No file changes, and the certificate becomes valid.
    program.until("the certificate is used", async |program| program.logged("reloaded: tls")).await;
    assert!(SystemTime::now() >= now + Duration::from_secs(3));
}

#[tokio::test]
async fn keys_without_names_replace_a_key_with_a_name() {
    let folder = Folder::new("serve-jwks");
    let signers: Vec<_> = ["first", "second", "third"].map(|name| Signer::new(name, Algorithm::RS256)).into();
    let nameless = |signer: &Signer| {
        let mut jwk = signer.jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let path = folder.write("jwks.json", &jwks(&[signers[0].jwk()]));
    let program = Program::start(&[
        "--jwks",
        &path,
        "--jwt-issuer",
        ISSUER,
        "--jwt-audience",
        AUDIENCE,
        "--reload-interval",
        "0s",
    ]);
    let claims = claims(SystemTime::now());
    assert_eq!(listed(&program, &signers[0].sign(&claims)).await, Code::Ok);
    replace(Path::new(&path), &jwks(&[nameless(&signers[1]), nameless(&signers[2])]));
    program.until("the keys are used", async |program| program.logged("reloaded: jwks")).await;
    let header = Header::new(Algorithm::RS256);
    for signer in &signers[1..] {
        assert_eq!(listed(&program, &signer.sign_with(&header, &claims)).await, Code::Ok);
    }
    assert_eq!(listed(&program, &signers[0].sign(&claims)).await, Code::Unauthenticated);
    assert_eq!(listed(&program, &signers[0].sign_with(&header, &claims)).await, Code::Unauthenticated);
}

/// What the health service reports under a name.
async fn health(program: &Program, service: &str) -> ServingStatus {
    let mut client = HealthClient::new(support::channel(program.address).await);
    client.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap().into_inner().status()
}

/// Evaluates the empty proposal for a scenario, or for the default one if the name is empty.
async fn evaluated(program: &Program, scenario: &str) -> Code {
    let subject = Some(Subject::Proposal(Proposal::default()));
    let request = EvaluateProposalRequest { scenario: scenario.to_owned(), subject, ..Default::default() };
    program.client().await.call(EVALUATE, &[], frame(&request.encode_to_vec())).await.code()
}

const DEFAULT: &str = "detente.v1.DefaultScenario";

#[tokio::test]
async fn a_server_without_its_default_scenario_serves_the_others() {
    let folder = Folder::new("serve-no-default");
    folder.write("a.yaml", source::EMBEDDED);
    let place = folder.0.display().to_string();
    let program = Program::start(&["--scenarios", &place, "--default-scenario", "z", "--reload-interval", "0s"]);
    assert!(program.logged("no scenario file contains the default scenario scenarios/z"));
    program.until("the server is ready", async |program| health(program, "").await == ServingStatus::Serving).await;
    assert_eq!(health(&program, "detente.v1.RedLineService").await, ServingStatus::Serving);
    assert_eq!(health(&program, DEFAULT).await, ServingStatus::NotServing);
    assert_eq!(evaluated(&program, "scenarios/ukraine-2025").await, Code::Ok);
    assert_eq!(evaluated(&program, "").await, Code::NotFound);
    folder.write("z.yaml", &source::EMBEDDED.replacen("scenario: ukraine-2025", "scenario: z", 1));
    program
        .until("the default is served", async |program| health(program, DEFAULT).await == ServingStatus::Serving)
        .await;
    assert_eq!(evaluated(&program, "").await, Code::Ok);
    // The default scenario is kept after its file is gone, until SIGHUP.
    fs::remove_file(folder.0.join("z.yaml")).unwrap();
    program.until("the warning", async |program| program.logged("no file contains the default scenario")).await;
    assert_eq!(evaluated(&program, "").await, Code::Ok);
    assert_eq!(health(&program, DEFAULT).await, ServingStatus::Serving);
    program.signal("-HUP");
    program.until("the end", async |program| program.logged("scenarios/z is no longer served")).await;
    assert_eq!(evaluated(&program, "").await, Code::NotFound);
    program.until("health", async |program| health(program, DEFAULT).await == ServingStatus::NotServing).await;
    assert_eq!(health(&program, "").await, ServingStatus::Serving);
}
