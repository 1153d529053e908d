//! The sentences of robustness: probabilities, what they rest on, and the summary.
//!
//! A red line binds if a crossing would in fact undo the deal. Robustness is the probability that a deal crosses no red
//! line that binds. Must not know how a probability is computed.

use super::search::{incomplete, not_recorded};
use detente_analysis::{BindingProbability, ProbabilityOrigin, ProbabilityRange, Robustness, SearchLimit};

/// Puts a probability into words. Only exactly 0 and 1 read as "0" and "1".
fn probability(probability: f64) -> String {
    match probability {
        0.0 => "0".to_owned(),
        1.0 => "1".to_owned(),
        high if high > 0.9999 => "above 0.9999".to_owned(),
        low if low < 0.0001 => "below 0.0001".to_owned(),
        between => format!("{between:.4}"),
    }
}

/// Puts a range of probabilities into words.
pub fn probability_range(low: f64, high: f64) -> String {
    let (least, most) = (probability(low), probability(high));
    if least == most { least } else { format!("{least} to {most}") }
}

/// Returns the assumptions behind a result, in sentences. `used` has the probability of each red line that the result
/// considers.
pub fn assumptions(used: &[BindingProbability]) -> Vec<String> {
    let by = |origin| used.iter().filter(|used| used.origin == origin).count();
    let (request, firmness, author) =
        (by(ProbabilityOrigin::Request), by(ProbabilityOrigin::RequestByFirmness), by(ProbabilityOrigin::Scenario));
    vec![
        "Red lines are assumed to bind independently of each other.".to_owned(),
        format!(
            "The probabilities are not this service's: {request} stated by the request for a red line, {firmness} by \
             the request for a firmness, {author} by the scenario's author."
        ),
        "Open terms and circumstances have no probability. Where a result depends on them, it is a range from its \
         lowest to its highest value."
            .to_owned(),
    ]
}

/// Puts the probabilities of the proposal and of the best package into words.
///
/// `unrecorded` is the number of red lines that are not yet recorded on the day.
pub fn summary(found: &Robustness, unrecorded: usize, limit: Option<SearchLimit>) -> String {
    let mut sentences = Vec::new();
    let in_words = |range: ProbabilityRange| probability_range(range.low, range.high);
    let lead = |of: &str, range: ProbabilityRange| {
        let range = in_words(range);
        format!("By the probabilities stated, the probability that {of} crosses no binding red line is {range}.")
    };
    sentences.extend(found.proposal.map(|range| lead("the proposal", range)));
    match &found.best {
        Some(best) if sentences.is_empty() => sentences.push(lead("the best package", best.probability)),
        Some(best) => {
            sentences.push(format!("For the best package, this probability is {}.", in_words(best.probability)));
        }
        None if found.cut_short.is_none() => {
            sentences.push("No package meets the pins, the goal and the constraints.".to_owned());
        }
        None => {}
    }
    let text = sentences.join(" ") + &not_recorded(unrecorded) + incomplete(limit);
    text.trim_start().to_owned()
}
