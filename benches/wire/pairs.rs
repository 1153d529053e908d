//! A comparison of two builds of the binary, in pairs of turns.
//!
//! In a turn, one build serves a load. Each pair starts both builds anew, so that random properties of a process
//! (addresses, seeds of hash tables) vary from pair to pair, and loads one directly after the other. The order
//! alternates. The logarithm of the ratio of the servers' CPU times per call is one observation for each pair; a
//! t-interval over the pairs is the confidence interval.

use super::children::Server;
use super::load::{Connections, Measured, Questions};
use super::{Load, Options};
use detente::schema::proto::v1;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default duration of a turn, in seconds.
const SECONDS: f64 = 1.0;
/// The warm-up before each turn, as a share of the turn. It does not count.
const WARM_UP: f64 = 0.25;
/// The 97.5th percentile of the normal distribution.
const NORMAL: f64 = 1.959_963_985;

const CACHE: &str = "32MiB";
const NO_CACHE: &str = "0";

/// The measurements: the name, the size of the cache, and the load.
const LOADS: [(&str, &str, Load); 6] = [
    ("unary: no cache, one proposal", NO_CACHE, Load::Unary(Questions::One)),
    ("unary: no cache, ever new proposals", NO_CACHE, Load::Unary(Questions::EverNew)),
    ("unary: cache, one proposal", CACHE, Load::Unary(Questions::One)),
    ("unary: cache, 1,000 proposals", CACHE, Load::Unary(Questions::Thousand)),
    ("unary: cache, ever new proposals", CACHE, Load::Unary(Questions::EverNew)),
    ("stream: evaluations", NO_CACHE, Load::Stream),
];

/// The observations for one load. Each pair has two: the microseconds per call of the old build and of the new one.
struct Observed {
    name: &'static str,
    pairs: Vec<[f64; 2]>,
}

/// Measures both builds, and prints the comparison. Returns whether every confidence interval is below `--at-most`.
pub(crate) async fn compare(options: &Options, question: &v1::EvaluateProposalRequest) -> bool {
    let [old, new] = options.binary.as_slice() else { panic!("give --binary twice: the old build, then the new one") };
    let lasting = Duration::from_secs_f64(options.seconds.unwrap_or(SECONDS));
    let loads: Vec<_> = LOADS.iter().filter(|(name, ..)| name.contains(&options.only)).collect();
    assert!(!loads.is_empty(), "no load has a name that contains `{}`", options.only);
    let mut observed: Vec<Observed> =
        loads.iter().map(|(name, ..)| Observed { name, pairs: Vec::with_capacity(options.pairs) }).collect();
    println!("old: {}\nnew: {}", old.display(), new.display());
    for pair in 0..options.pairs {
        for (at, (_, cache, load)) in loads.iter().enumerate() {
            let order = if (pair + at).is_multiple_of(2) { [0, 1] } else { [1, 0] };
            let mut micros = [0.0; 2];
            for which in order {
                let binary: &PathBuf = [old, new][which];
                micros[which] = turn(binary, cache, load, question, lasting).await;
            }
            observed[at].pairs.push(micros);
        }
        eprintln!("pair {} of {}", pair + 1, options.pairs);
    }
    print(&observed, options.at_most)
}

/// Puts a load on a new server, and returns the microseconds of the server's CPU time per call.
async fn turn(
    binary: &Path,
    cache: &str,
    load: &Load,
    question: &v1::EvaluateProposalRequest,
    lasting: Duration,
) -> f64 {
    let server = Server::detente(binary, cache);
    let connections = Connections::open(server.address, question.clone()).await;
    load.run(&connections, lasting.mul_f64(WARM_UP)).await;
    let before = server.time_on_processors();
    let Measured { calls, .. } = load.run(&connections, lasting).await;
    let time = server.time_on_processors_after(&before);
    #[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
    let calls = calls as f64;
    time.as_secs_f64() * 1e6 / calls
}

fn print(observed: &[Observed], at_most: Option<f64>) -> bool {
    println!(
        "\n| {:<40} | {:>9} | {:>9} | {:>7} | {:>16} |",
        "server CPU, µs a call", "old", "new", "new/old", "95 % interval"
    );
    println!("|{:-<42}|{:->10}:|{:->10}:|{:->8}:|{:->17}:|", "", "", "", "", "");
    let mut is_below = true;
    let mut row = |name: &str, old: String, new: String, logs: &[f64]| {
        let (middle, low, high) = interval(logs);
        println!("| {name:<40} | {old:>9} | {new:>9} | {middle:>7.4} | {:>16} |", format!("{low:.4}..{high:.4}"));
        is_below &= at_most.is_none_or(|bound| high < bound);
    };
    for Observed { name, pairs } in observed {
        let median = |which: usize| {
            let (median, ..) = super::spread(pairs.iter().map(|pair| pair[which]).collect());
            format!("{median:.2}")
        };
        row(name, median(0), median(1), &pairs.iter().map(log_ratio).collect::<Vec<_>>());
    }
    if observed.len() > 1 {
        let pairs = observed[0].pairs.len();
        #[expect(clippy::cast_precision_loss, reason = "there are only six loads")]
        let mean =
            |pair: usize| observed.iter().map(|one| log_ratio(&one.pairs[pair])).sum::<f64>() / observed.len() as f64;
        row("all, equally weighted", String::new(), String::new(), &(0..pairs).map(mean).collect::<Vec<_>>());
    }
    match at_most {
        Some(bound) if is_below => println!("\nall intervals lie below {bound}"),
        Some(bound) => println!("\nFAILED: not all intervals lie below {bound}"),
        None => {}
    }
    is_below
}

fn log_ratio([old, new]: &[f64; 2]) -> f64 {
    (new / old).ln()
}

/// The mean ratio and its 95 % confidence interval, computed from the logarithms of the ratios.
fn interval(logs: &[f64]) -> (f64, f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "there are only a few dozen pairs")]
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = student(count - 1.0) * (variance / count).sqrt();
    (mean.exp(), (mean - half).exp(), (mean + half).exp())
}

/// The 97.5th percentile of Student's t-distribution, by its expansion around the normal distribution (Abramowitz and
/// Stegun, 26.7.5): accurate to 0.01 for 4 degrees of freedom, and to 0.0001 for 10 and more.
fn student(freedom: f64) -> f64 {
    let z = NORMAL;
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * freedom.powi(3))
        + (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z)
            / (92160.0 * freedom.powi(4))
}
