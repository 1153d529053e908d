//! The limits of a scenario file. A file that exceeds a limit is rejected, and the message names the limit.

/// The default of the maximum size of a file, in bytes: four times what a Kubernetes ConfigMap can hold.
pub const DEFAULT_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The largest maximum size of a file that a caller may choose, in bytes.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// The maximum size of a file with one proposal, in bytes: with 500 terms it has about 20 KiB.
pub const MAX_PROPOSAL_FILE_BYTES: usize = 1024 * 1024;
/// The maximum size of a file with test cases, in bytes. One with a hundred cases has about 80 KiB.
pub const MAX_TEST_FILE_BYTES: usize = 1024 * 1024;
/// The maximum number of cases of a test file.
pub const MAX_CASES: usize = 1_000;
/// The number of YAML values, keys included, that a file may have whatever its size.
///
/// With the further ones below, 10,000 red lines with the shortest texts that people write (27 values and 205 bytes
/// each) are within the limit, and reading a file of any size stays within [`load_peak_bytes`].
const BASE_NODES: usize = 65_536;
/// The number of bytes of a file for each further YAML value. Files that people write have about fourteen.
const BYTES_OF_A_NODE: usize = 10;
/// The maximum length of the text that the parser reads for one YAML value, in characters: sixteen times the longest
/// text, which leaves room for indentation, blank lines and escapes.
///
/// White space and line ends before the value count, and so do directives (lines that begin with `%`). Comments do not
/// count, except for their line ends.
pub const MAX_SPAN: usize = 64 * 1024;
/// The maximum number of brackets, commas and colons of a list or map in brackets within another one.
///
/// The parser keeps all tokens of such a list until it ends, about 200 bytes for each of these characters. Files in
/// JSON, which consist of such lists, therefore cannot be as large as files in YAML.
pub const MAX_MARKS: usize = 32 * 1024;
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
/// The maximum number of faults reported for one file.
pub const MAX_FAULTS: usize = 1_000;
/// The number of faults after which the rest of a file is not read, and further faults are only counted.
///
/// It is greater than [`MAX_FAULTS`], because faults are not found in the order in which they are reported.
pub(crate) const MAX_FAULTS_KEPT: usize = 4 * MAX_FAULTS;
/// The maximum number of steps for all conditions of one file together: reading and compiling them, also in combination
/// with waivers, and finding out which of them are true in each edition.
///
/// The unit is that of [`WorkBudget`](detente_condition::WorkBudget), so that a file that loads on one machine loads on
/// every machine. docs/benchmarks.md says how the number was chosen.
pub const MAX_STEPS: u64 = 750_000_000;
/// The memory, in bytes, that the compiled conditions of a file may take whatever the size of the file.
const BASE_COMPILED_BYTES: usize = 8 * 1024 * 1024;
/// The memory, in bytes, that loading a file takes at most besides a multiple of the size of the file.
const BASE_PEAK_BYTES: u64 = 16 * 1024 * 1024;
/// The multiple of the size of a file that loading the file takes at most.
const PEAK_OF_A_BYTE: u64 = 8;

/// Returns the maximum number of YAML values, keys included, of a file of `bytes` bytes.
pub const fn max_nodes(bytes: usize) -> usize {
    BASE_NODES + bytes / BYTES_OF_A_NODE
}

/// Returns the maximum memory, in bytes, of the compiled conditions of a file of `bytes` bytes.
///
/// It includes the conditions as formulas, the ladders of red lines with waivers, and the editions.
pub const fn max_compiled_bytes(bytes: usize) -> usize {
    BASE_COMPILED_BYTES + 2 * bytes
}

/// Returns the memory, in bytes, that loading one file of at most `max_scenario_bytes` bytes takes at most, the text of
/// the file and the loaded scenario included.
pub const fn load_peak_bytes(max_scenario_bytes: u64) -> u64 {
    BASE_PEAK_BYTES + PEAK_OF_A_BYTE * max_scenario_bytes
}
