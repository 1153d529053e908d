//! The limits of a scenario file. A file that exceeds a limit is rejected, and the message names the limit.

/// The maximum size of a file, in bytes.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// The maximum number of YAML values in a file, including keys.
pub const MAX_NODES: usize = 2_000_000;
/// The maximum nesting depth of lists and maps.
pub const MAX_DEPTH: usize = 16;
/// The maximum length of an id, in characters.
pub const MAX_ID: usize = 63;
/// The maximum length of a name, title or other text on one line, in characters.
pub const MAX_LINE: usize = 300;
/// The maximum length of any other text, in characters.
pub const MAX_TEXT: usize = 4_000;
/// The maximum length of a quote, in words.
pub const MAX_QUOTE_WORDS: usize = 15;
/// The maximum number of parties.
pub const MAX_PARTIES: usize = 500;
/// The maximum number of groups.
pub const MAX_GROUPS: usize = 200;
/// The maximum number of issues, and therefore of terms of a proposal.
pub const MAX_ISSUES: usize = 500;
/// The maximum number of circumstances.
pub const MAX_CIRCUMSTANCES: usize = 100;
/// The maximum number of sources.
pub const MAX_SOURCES: usize = 5_000;
/// The maximum number of red lines.
pub const MAX_RED_LINES: usize = 20_000;
/// The maximum number of waivers of a red line.
pub const MAX_WAIVERS: usize = 16;
/// The maximum number of spans of a red line or waiver, and of dated values of a status quo.
pub const MAX_SPANS: usize = 64;
/// The maximum number of pieces of evidence of one red line, waiver, circumstance, caution or preference.
pub const MAX_EVIDENCE: usize = 100;
/// The maximum number of constraints.
pub const MAX_CONSTRAINTS: usize = 1_000;
/// The maximum number of cautions.
pub const MAX_CAUTIONS: usize = 1_000;
/// The maximum number of preferences.
pub const MAX_PREFERENCES: usize = 5_000;
/// The maximum number of reference proposals.
pub const MAX_PROPOSALS: usize = 10_000;
/// The maximum number of entries of any other list (authors, rows, taxonomy).
pub const MAX_ENTRIES: usize = 1_000;
/// The maximum number of editions. One begins on the first day covered, and one on every later day with a change.
pub const MAX_EDITIONS: usize = 1_000;
/// The maximum number of literals (tests on an issue or circumstance) in all compiled conditions together.
pub const MAX_LITERALS: usize = 2_000_000;
/// The maximum number of faults reported for one file.
pub const MAX_FAULTS: usize = 1_000;
