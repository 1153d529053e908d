//! The cost of a call over a socket, compared with a stock tonic server that returns the same bytes.
//!
//! `cargo bench --bench wire`; `-- --help` lists the options. Each server is a process of its own, so that its CPU time
//! is separate from that of the client. All servers are measured in turns, round after round, so that other activity of
//! the machine affects all of them. The figures are medians of the rounds, with the minimum and the maximum.

mod children;
mod echo;
mod load;
mod pairs;

use bytes::Bytes;
use children::{Server, own_cpu};
use clap::Parser;
use detente::schema::proto::v1;
use detente::services::RedLines;
use detente::serving::Store;
use detente::serving::source;
use load::{Connections, Measured, Questions};
use prost::Message;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The default time for which each server is loaded in each round, in seconds.
const SECONDS: f64 = 2.0;

#[derive(Parser)]
struct Options {
    /// The number of counted rounds, after a shorter one for warming up
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The time for which each server is loaded in each round, in seconds [default: 2, with --binary 1]
    #[arg(long)]
    seconds: Option<f64>,
    /// Other builds of the binary to compare with this one in the same rounds: `label=path`
    #[arg(long, value_parser = labelled)]
    also: Vec<(String, PathBuf)>,
    /// Compare two builds in pairs of turns instead; give this option twice, first with the old build, then with the
    /// new one
    #[arg(long, num_args = 1, conflicts_with_all = ["also", "rounds"])]
    binary: Vec<PathBuf>,
    /// The number of pairs of turns for each measurement with --binary
    #[arg(long, default_value_t = 30, requires = "binary")]
    pairs: usize,
    /// Fail unless the confidence interval of each ratio (CPU time of the new build to that of the old one) is below
    /// this value
    #[arg(long, requires = "binary")]
    at_most: Option<f64>,
    /// Run one short round, to check that the bench works
    #[arg(long)]
    quick: bool,
    /// Run only the measurements whose names contain this text
    #[arg(long, default_value = "")]
    only: String,
    /// Run as the stock server
    #[arg(long, hide = true)]
    echo: bool,
    /// Has no effect; cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

fn labelled(text: &str) -> Result<(String, PathBuf), String> {
    let (label, path) = text.split_once('=').ok_or("write `label=path`")?;
    Ok((label.to_owned(), path.into()))
}

/// One line of the table.
struct Cell {
    name: String,
    server: usize,
    load: Load,
    rounds: Vec<Round>,
}

enum Load {
    Unary(Questions),
    Stream,
}

impl Load {
    async fn run(&self, connections: &Connections, lasting: Duration) -> Measured {
        match self {
            Load::Unary(questions) => connections.unary(*questions, lasting).await,
            Load::Stream => connections.stream(lasting).await,
        }
    }
}

/// The measurements of one turn.
struct Round {
    calls_a_second: f64,
    server_micros: f64,
    load_micros: f64,
    answer_bytes: f64,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if !matches!(options.binary.len(), 0 | 2) || options.pairs < 2 {
        eprintln!("give --binary twice, the old build and the new one, and at least 2 pairs");
        return ExitCode::FAILURE;
    }
    if options.quick {
        (options.rounds, options.pairs, options.seconds) = (1, 2, options.seconds.or(Some(0.1)));
    }
    let runtime = Runtime::new().unwrap();
    if options.echo {
        runtime.block_on(echo::serve());
        return ExitCode::SUCCESS;
    }
    let service = RedLines::new(Arc::new(Store::new(source::load(&[]).unwrap()).unwrap()));
    let question = load::jeddah(&service);
    if options.binary.is_empty() {
        runtime.block_on(measure(&options, &service, question));
    } else if !runtime.block_on(pairs::compare(&options, &question)) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn measure(options: &Options, service: &RedLines, question: v1::EvaluateProposalRequest) {
    // The stock server cannot compute an evaluation, so it gets the answer to return.
    let evaluation = service.evaluate_encoded(&question).unwrap().evaluation.unwrap();
    let answer = Bytes::from(service.evaluate(&question).unwrap().encode_to_vec());

    let binary = PathBuf::from(env!("CARGO_BIN_EXE_detente"));
    let mut servers = vec![Server::echo(&evaluation)];
    let mut cells: Vec<Cell> = Vec::new();
    let mut add = |server: usize, name: String, load: Load| {
        if name.contains(&options.only) {
            cells.push(Cell { name, server, load, rounds: Vec::new() });
        }
    };
    add(0, "unary: stock echo".to_owned(), Load::Unary(Questions::One));
    let builds = std::iter::once((String::new(), binary))
        .chain(options.also.iter().map(|(label, path)| (format!(" [{label}]"), path.clone())));
    for (label, path) in builds {
        let cached = servers.len();
        servers.push(Server::detente(&path, "32MiB"));
        servers.push(Server::detente(&path, "0"));
        add(cached + 1, format!("unary: no cache, one proposal{label}"), Load::Unary(Questions::One));
        add(cached + 1, format!("unary: no cache, ever new proposals{label}"), Load::Unary(Questions::EverNew));
        add(cached, format!("unary: cache, one proposal{label}"), Load::Unary(Questions::One));
        add(cached, format!("unary: cache, 1,000 proposals{label}"), Load::Unary(Questions::Thousand));
        add(cached, format!("unary: cache, ever new proposals{label}"), Load::Unary(Questions::EverNew));
        add(cached, format!("stream: evaluations{label}"), Load::Stream);
    }
    add(0, "stream: stock echo".to_owned(), Load::Stream);

    let mut connections = Vec::new();
    for server in &servers {
        connections.push(Connections::open(server.address, question.clone()).await);
        assert_eq!(connections.last().unwrap().ask().await, answer, "{}", server.address);
    }
    println!("request {} bytes, answer {} bytes", question.encoded_len(), answer.len());
    let seconds = options.seconds.unwrap_or(SECONDS);
    for round in 0..=options.rounds {
        let lasting = Duration::from_secs_f64(if round == 0 { seconds / 2.0 } else { seconds });
        for cell in &mut cells {
            let measured = turn(&servers[cell.server], &connections[cell.server], &cell.load, lasting).await;
            // The first round warms up.
            if round > 0 {
                cell.rounds.push(measured);
            }
        }
    }
    print_table(&cells);
    for server in &servers {
        println!("{}", server.memory());
    }
}

async fn turn(server: &Server, connections: &Connections, load: &Load, lasting: Duration) -> Round {
    let (begun, server_before, own_before) = (Instant::now(), server.cpu(), own_cpu());
    let Measured { calls, bytes } = load.run(connections, lasting).await;
    #[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
    let (calls, bytes) = (calls as f64, bytes as f64);
    Round {
        calls_a_second: calls / begun.elapsed().as_secs_f64(),
        server_micros: (server.cpu() - server_before).as_secs_f64() * 1e6 / calls,
        load_micros: (own_cpu() - own_before).as_secs_f64() * 1e6 / calls,
        answer_bytes: bytes / calls,
    }
}

/// A table in Markdown, aligned.
fn print_table(cells: &[Cell]) {
    println!(
        "\n| {:<48} | {:>6} | {:>25} | {:>19} | {:>8} |",
        "", "bytes", "calls a second", "server CPU, µs/call", "load CPU"
    );
    println!("|{:-<50}|{:->7}:|{:->26}:|{:->20}:|{:->9}:|", "", "", "", "", "");
    for cell in cells.iter().filter(|cell| !cell.rounds.is_empty()) {
        let of = |figure: fn(&Round) -> f64| spread(cell.rounds.iter().map(figure).collect());
        let (calls, least_calls, most_calls) = of(|round| round.calls_a_second);
        let (server, least_server, most_server) = of(|round| round.server_micros);
        let (load, ..) = of(|round| round.load_micros);
        let (bytes, ..) = of(|round| round.answer_bytes);
        println!(
            "| {:<48} | {bytes:>6.0} | {:>25} | {:>19} | {load:>8.1} |",
            cell.name,
            format!("{calls:.0} ({least_calls:.0}..{most_calls:.0})"),
            format!("{server:.1} ({least_server:.1}..{most_server:.1})"),
        );
    }
}

/// The median, the minimum and the maximum.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
