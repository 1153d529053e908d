//! A comparison of proposals as text for people. Each proposal is a column; columns that do not fit into the width
//! continue in a further block below.

use crate::cli::render::text::{DIM, HEAD, WIDTH, count, table, wrapped};
use crate::cli::render::words::{
    iso, last_segment, outline_words, stance_words, status_words, supposing, verdict_words,
};
use crate::convert::wording::list;
use crate::schema::proto::v1;
use std::fmt::Write;

/// Up to this number of proposals, stances and findings are written in words, if the words fit into the width.
const FEW: usize = 3;
/// Number of characters of a proposal's label that the legend shows. A label may be longer than any id.
const LABEL_WIDTH: usize = 66;

const STANCE_KEY: &str = "REJ rejects, RES resists, MAY may resist, ? undecided, - no stated objection (which is not \
                          consent); * could become worse";
const FINDING_KEY: &str = "A absolute, F firm, N negotiable, T tentative: crossed with this firmness";
const OPEN_KEY: &str = "; ?N undetermined, and negotiable if crossed";
const WAIVED_KEY: &str = "; N/F negotiable, firm at worst";

/// A comparison as a text of up to 100 columns.
pub(crate) fn comparison_text(response: &v1::CompareProposalsResponse) -> String {
    let proposals = count(response.verdicts.len(), "proposal", "proposals");
    let day = response.as_of.as_ref().map_or_else(String::new, |day| format!(" on {}", iso(day)));
    let revision: String = response.revision.chars().take(12).collect();
    let mut out = format!("{HEAD}{proposals}{HEAD:#}{day}\n");
    out += &supposing(&response.suppositions).map_or_else(String::new, |supposing| wrapped(&supposing, 0));
    let _ = writeln!(out, "{DIM}{}, revision {revision}{DIM:#}\n", response.scenario);
    out += &legend(&response.verdicts);

    let (objecting, silent): (Vec<_>, Vec<_>) = response.parties.iter().partition(|party| !is_silent(party));
    let labels: Vec<String> = response.verdicts.iter().map(|verdict| verdict.label.clone()).collect();
    let worded = Grids::new(response, &objecting, labels, &|stance| stance_cell_in_words(*stance), &outline_words);
    let in_words = response.verdicts.len() <= FEW && worded.fits();
    let grids = if in_words {
        worded
    } else {
        let numbers = (1..=response.verdicts.len()).map(|number| number.to_string()).collect();
        Grids::new(response, &objecting, numbers, &|stance| stance_cell(*stance), &finding_cell)
    };
    let key = |key: &str| if in_words { String::new() } else { wrapped(key, 0) };
    if !objecting.is_empty() {
        out.push('\n');
        out += &grids.stances.text("PARTY", grids.widths());
        out += &key(STANCE_KEY);
    }
    if !silent.is_empty() {
        let parties: Vec<String> = silent.iter().map(|party| party.party.clone()).collect();
        let text = format!(
            "Parties without a stated objection to any of these proposals: {}. That is not consent.",
            list(&parties)
        );
        out.push('\n');
        out += &wrapped(&text, 0);
    }
    out.push('\n');
    if response.differences.is_empty() {
        out += "The findings are the same for all these proposals.\n";
    } else {
        out += &grids.findings.text("RED LINE", grids.widths());
        let used = |mark: char, key: &'static str| if grids.findings.has(mark) { key } else { "" };
        out += &key(&[FINDING_KEY, used('?', OPEN_KEY), used('/', WAIVED_KEY), "; . clear"].concat());
    }
    out
}

fn legend(verdicts: &[v1::ComparedVerdict]) -> String {
    let shortened = |label: &str| match label.chars().count() > LABEL_WIDTH {
        true => label.chars().take(LABEL_WIDTH - 3).chain("...".chars()).collect(),
        false => label.to_owned(),
    };
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .enumerate()
        .map(|(at, of)| {
            let (verdict, worst) = (of.verdict(), of.could_become());
            let worst = if worst == verdict { "" } else { verdict_words(worst) };
            vec![format!("{:>2}", at + 1), shortened(&of.label), verdict_words(verdict).to_owned(), worst.to_owned()]
        })
        .collect();
    let changes = rows.iter().any(|row| row.last().is_some_and(|worst| !worst.is_empty()));
    let head = ["", "PROPOSAL", "VERDICT", "COULD BECOME"];
    table(head.get(..if changes { 4 } else { 3 }).unwrap_or(&head), &rows)
}

fn is_silent(party: &v1::ComparedParty) -> bool {
    let no_objection = v1::Stance::NoStatedObjection;
    party.stances.iter().all(|stance| stance.stance() == no_objection && stance.could_become() == no_objection)
}

fn stance_cell(stance: v1::ComparedStance) -> String {
    let cell = match stance.stance() {
        v1::Stance::Unspecified => "",
        v1::Stance::Rejects => "REJ",
        v1::Stance::Resists => "RES",
        v1::Stance::MayResist => "MAY",
        v1::Stance::Undecided => "?",
        v1::Stance::NoStatedObjection => "-",
    };
    let mark = if stance.could_become == stance.stance { "" } else { "*" };
    format!("{cell}{mark}")
}

fn stance_cell_in_words(stance: v1::ComparedStance) -> String {
    let (is, worst) = (stance_words(stance.stance()), stance_words(stance.could_become()));
    if is == worst { is.to_owned() } else { format!("{is} ({worst} at worst)") }
}

fn finding_cell(finding: &v1::FindingOutline) -> String {
    let letter = |firmness: v1::Firmness| match firmness {
        v1::Firmness::Unspecified => "",
        v1::Firmness::Tentative => "T",
        v1::Firmness::Negotiable => "N",
        v1::Firmness::Firm => "F",
        v1::Firmness::Absolute => "A",
    };
    let (lowest, highest) = (letter(finding.firmness()), letter(finding.firmness_at_worst()));
    let firmness = if lowest == highest { lowest.to_owned() } else { format!("{lowest}/{highest}") };
    match finding.status() {
        v1::RedLineStatus::Crossed => firmness,
        v1::RedLineStatus::Undetermined => format!("?{firmness}"),
        v1::RedLineStatus::Clear => ".".to_owned(),
        other => status_words(other).to_owned(),
    }
}

/// The tables of stances and of red lines, with the same columns.
struct Grids {
    stances: Grid,
    findings: Grid,
}

impl Grids {
    fn new(
        response: &v1::CompareProposalsResponse,
        objecting: &[&v1::ComparedParty],
        columns: Vec<String>,
        stance: &dyn Fn(&v1::ComparedStance) -> String,
        finding: &dyn Fn(&v1::FindingOutline) -> String,
    ) -> Self {
        let mut stances = Grid { columns: columns.clone(), rows: Vec::new() };
        for party in objecting {
            stances.push(party.party.clone(), party.stances.iter().map(stance).collect());
        }
        let mut findings = Grid { columns, rows: Vec::new() };
        for party in &response.parties {
            let mut of_party = response.differences.iter().filter(|line| line.party == party.party).peekable();
            if of_party.peek().is_some() {
                findings.push(party.party.clone(), Vec::new());
            }
            for line in of_party {
                let hypothetical = if line.hypothetical { " (hypothetical)" } else { "" };
                let label = format!("  {}{hypothetical}", last_segment(&line.red_line));
                findings.push(label, line.findings.iter().map(finding).collect());
            }
        }
        Self { stances, findings }
    }

    /// The widths of the labels and of a column. Both tables use them, so that their columns are aligned.
    fn widths(&self) -> (usize, usize) {
        let (stances, findings) = (self.stances.widths(), self.findings.widths());
        (stances.0.max(findings.0), stances.1.max(findings.1))
    }

    fn fits(&self) -> bool {
        let (labels, cell) = self.widths();
        labels + self.stances.columns.len() * (GAP + cell) <= WIDTH
    }
}

/// Rows of labelled cells, in columns of the same width.
struct Grid {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

const GAP: usize = 2;

impl Grid {
    fn push(&mut self, label: String, cells: Vec<String>) {
        self.rows.push((label, cells));
    }

    fn has(&self, mark: char) -> bool {
        self.rows.iter().flat_map(|(_, cells)| cells).any(|cell| cell.contains(mark))
    }

    /// The widths, in characters, that the labels and a column need.
    fn widths(&self) -> (usize, usize) {
        let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| text.chars().count()).max();
        let labels = widest(&mut self.rows.iter().map(|(label, _)| label)).unwrap_or(0);
        let cells = self.columns.iter().chain(self.rows.iter().flat_map(|(_, cells)| cells));
        (labels.max("RED LINE".len()), widest(&mut cells.into_iter()).unwrap_or(0))
    }

    /// The table as text, in blocks of as many columns as fit into the width, but at least one column.
    fn text(&self, head: &str, (labels, cell): (usize, usize)) -> String {
        let at_a_time = (WIDTH.saturating_sub(labels) / (GAP + cell)).max(1);
        let line = |label: &str, cells: &[String], from: usize| {
            let cells = cells.iter().skip(from).take(at_a_time);
            let cells: String = cells.map(|text| format!("{:GAP$}{text:<cell$}", "")).collect();
            format!("{label:<labels$}{cells}").trim_end().to_owned()
        };
        let mut blocks = Vec::new();
        for from in (0..self.columns.len()).step_by(at_a_time) {
            let mut block = format!("{HEAD}{}{HEAD:#}\n", line(head, &self.columns, from));
            for (label, cells) in &self.rows {
                block += &line(label, cells, from);
                block.push('\n');
            }
            blocks.push(block);
        }
        blocks.join("\n")
    }
}
