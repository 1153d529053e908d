//! The summary of an impasse.
//!
//! A package is a possible deal that meets the request's aim. It passes if it crosses no red line that the request
//! takes into account; in an impasse, no package passes. A conflict is a set of red lines of which every package
//! crosses at least one. A concession is a set of red lines such that a package passes if they are softened below the
//! floor, the lowest firmness that counts. Must not know how conflicts and concessions are found.

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
                [] if impasse.in_every.is_some() => {
                    " Softening one red line alone would not let a package pass.".to_owned()
                }
                [] => String::new(),
                [one] => format!(" Softening {one} alone would let a package pass."),
                some => format!(" Softening any one of {} alone would let a package pass.", list(some)),
            };
            let (conflicts, concessions) =
                (counted(impasse.conflicts.len(), "conflict"), counted(impasse.concessions.len(), "concession"));
            format!("Impasse at the floor `{floor}`: no package passes. {conflicts}, {concessions}.{opened}")
        }
    };
    lead + &not_recorded(problem.question.not_recorded().len()) + incomplete(impasse.cut_short)
}
