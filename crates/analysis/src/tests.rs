//! A small problem for the tests of this crate.

use super::{Aim, Problem, SearchQuestion};
use detente_core::engine::Compiled;
use detente_core::scenario::load;
use detente_core::scenario::model::Firmness;
use std::sync::Arc;

const SCENARIO: &str = "\
scenario: water
title: Water
description: Invented.
covers: {from: 2025-01-01, to: 2025-12-31}
as_of: 2025-06-30
sources:
  - {id: minutes, title: Minutes, publisher: Office, authors: [A], published: 2025-06-02}
parties:
  - {id: upstream, name: Upstream, role: principal}
issues:
  - {id: paid, title: Paid, question: Paid?, kind: flag}
circumstances:
  - {id: drought, title: Drought, question: Is there one?, kind: flag}
  - {id: rain, title: Rain, question: How much?, kind: quantity, unit: mm, range: {min: 0, max: 100}}
  - {id: gates, title: Gates, question: Which?, kind: members, members: [a, b, c, d, e, f, g]}
red_lines:
  - id: by-author
    party: upstream
    title: Payment
    requires: paid || drought
    firmness: firm
    binding_probability: 0.25
    held: [{from: 2025-01-01}]
    evidence: [{source: minutes, kind: on_record, speaker: Head, statement: Said.}]
  - id: without-number
    party: upstream
    title: Rain
    rejects: paid && rain > 50
    firmness: absolute
    held: [{from: 2025-01-01}]
    evidence: [{source: minutes, kind: on_record, speaker: Head, statement: Said.}]
";

pub(crate) fn problem() -> Problem {
    let scenario = load("water.yaml", SCENARIO).unwrap();
    let (day, compiled) = (scenario.as_of, Compiled::new(Arc::new(scenario)).unwrap());
    let aim = Aim { pins: Vec::new(), goal: None, floor: Firmness::Firm, counts: vec![true].into() };
    let compiled = Arc::new(compiled);
    Problem::new(SearchQuestion { compiled, day, supposed: None, circumstances: Vec::new(), aim }).unwrap()
}
