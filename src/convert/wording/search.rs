//! The sentences that the answers of several kinds of search contain: the progress, and why an answer is incomplete.
//!
//! Must not know which search is meant.

use detente_analysis::{SearchLimit, SearchPhase};

/// Returns a sentence that says why an answer is incomplete, with a leading space; empty for a complete answer.
pub fn incomplete(limit: Option<SearchLimit>) -> &'static str {
    match limit {
        None => "",
        Some(SearchLimit::Deadline) => " The answer is incomplete: the time ran out.",
        Some(SearchLimit::Work) => {
            " The answer is incomplete: the question needs more work than one question may take."
        }
        Some(SearchLimit::Results) => " The answer is incomplete: there are more results than the maximum.",
    }
}

/// Returns a sentence about the red lines that are not yet recorded, with a leading space; empty if there are none.
pub fn not_recorded(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 red line that would count is not yet recorded on that day, which is not the same as clear.".to_owned(),
        count => {
            format!(
                " {count} red lines that would count are not yet recorded on that day, which is not the same as clear."
            )
        }
    }
}

/// Names the phase of a search, for reports of its progress.
pub fn phase(phase: SearchPhase) -> &'static str {
    match phase {
        SearchPhase::NearestPackages => "searching for the nearest packages",
        SearchPhase::CombiningRedLines => "combining the red lines",
        SearchPhase::Counting => "counting packages",
        SearchPhase::Comparing => "comparing packages",
        SearchPhase::DiversePackages => "searching for packages that differ from each other",
        SearchPhase::Conflicts => "searching for conflicts",
        SearchPhase::Concessions => "searching for concessions",
        SearchPhase::WeighingRedLines => "weighing each red line",
    }
}
