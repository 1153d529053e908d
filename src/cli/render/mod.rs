//! Rendering for people: tables, sentences, colours.

pub(crate) mod analysis;
pub(crate) mod comparison;
pub(crate) mod evaluation;
pub(crate) mod text;
pub(crate) mod words;
