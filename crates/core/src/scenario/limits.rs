//! The bounds of a scenario file. Beyond one, the file is refused, and the bound is named.

/// The most bytes of a file.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// The most values, keys included, of a file.
pub const MAX_NODES: usize = 2_000_000;
/// The deepest nesting of lists and maps.
pub const MAX_DEPTH: usize = 16;
/// The most characters of an id.
pub const MAX_ID: usize = 63;
/// The most characters of a name or title.
pub const MAX_LINE: usize = 300;
/// The most characters of any other text.
pub const MAX_TEXT: usize = 4_000;
/// The most words of a quote.
pub const MAX_QUOTE_WORDS: usize = 15;
/// The most parties.
pub const MAX_PARTIES: usize = 500;
/// The most groups.
pub const MAX_GROUPS: usize = 200;
/// The most issues; also the most terms of a proposal.
pub const MAX_ISSUES: usize = 500;
/// The most circumstances.
pub const MAX_CIRCUMSTANCES: usize = 100;
/// The most sources.
pub const MAX_SOURCES: usize = 5_000;
/// The most red lines.
pub const MAX_RED_LINES: usize = 20_000;
/// The most waivers of a red line.
pub const MAX_WAIVERS: usize = 16;
/// The most spans of a red line or waiver, and the most dated values of a status quo.
pub const MAX_SPANS: usize = 64;
/// The most pieces of evidence in one place.
pub const MAX_EVIDENCE: usize = 100;
/// The most constraints.
pub const MAX_CONSTRAINTS: usize = 1_000;
/// The most cautions.
pub const MAX_CAUTIONS: usize = 1_000;
/// The most preferences.
pub const MAX_PREFERENCES: usize = 5_000;
/// The most reference proposals.
pub const MAX_PROPOSALS: usize = 10_000;
/// The most entries of any other list.
pub const MAX_ENTRIES: usize = 1_000;
/// The most editions: days within the covered span on which something changes, and the first.
pub const MAX_EDITIONS: usize = 1_000;
/// The most tests on inputs, over the cubes of all conditions.
pub const MAX_LITERALS: usize = 2_000_000;
/// The most faults that one run reports.
pub const MAX_FAULTS: usize = 1_000;
