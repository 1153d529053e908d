//! Rendering for people: tables, sentences and colours.
//!
//! Knows only the messages of the API, so that answers of a file and of a server look the same.

pub(crate) mod analysis;
pub(crate) mod comparison;
pub(crate) mod evaluation;
pub(crate) mod text;
pub(crate) mod words;
