//! The summary of an impasse.
//!
//! Must not know how conflicts and concessions are found.

use super::grammar::{counted, list};
use super::search::{incomplete, not_recorded};
use detente_analysis::{Impasse, Problem};

/// Puts the conflicts and concessions of an impasse into words.
pub fn summary(problem: &Problem, impasse: &Impasse) -> String {
    let floor = problem.question.aim.floor.word();
    let lead = match impasse.is_impasse {
        None => "Whether a package passes is not known.".to_owned(),
        Some(false) => format!(
            "No impasse: packages pass, with every counted red line clear at the floor `{floor}`. That is not consent."
        ),
        Some(true) if impasse.is_contradiction => "Pins, goal and constraints contradict each other: no package meets \
                                                    them, whatever the red lines."
            .to_owned(),
        Some(true) => {
            let single: Vec<String> = impasse
                .in_every
                .iter()
                .flatten()
                .filter_map(|line| problem.red_line(problem.lines.get(*line)?))
                .map(|red_line| red_line.id.to_string())
                .collect();
            let opened = match single.as_slice() {
                [] if impasse.in_every.is_some() => " No single red line's softening opens one.".to_owned(),
                [] => String::new(),
                [one] => format!(" The softening of {one} alone would open one."),
                some => format!(" The softening of any one of {} alone would open one.", list(some)),
            };
            let (conflicts, concessions) =
                (counted(impasse.conflicts.len(), "conflict"), counted(impasse.concessions.len(), "concession"));
            format!("Impasse at the floor `{floor}`: no package passes. {conflicts}, {concessions}.{opened}")
        }
    };
    lead + &not_recorded(problem.question.not_recorded().len()) + incomplete(impasse.cut_short)
}
