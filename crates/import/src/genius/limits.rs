//! The limits of GENIUS files: sizes, counts and depths beyond which an import is refused.
//!
//! Must not know how the limits are checked.

/// The maximum size of an XML file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The maximum nesting depth of elements.
pub const MAX_DEPTH: usize = 16;
/// The maximum number of elements and texts in a file.
pub const MAX_NODES: u32 = 500_000;
/// The maximum size of a tag with its attributes, in bytes.
pub const MAX_TAG_BYTES: usize = 8 * 1024;
/// The maximum length of the name of an issue, an option or a file, in characters.
pub const MAX_NAME: usize = 200;
/// The maximum number of options of an issue.
pub const MAX_OPTIONS: usize = detente_condition::MAX_ENTRIES;
/// The maximum number of profiles of a domain; each party has one.
pub const MAX_PROFILES: usize = 64;
/// The maximum number of digits of a number before its decimal point, and after it.
pub const MAX_DIGITS: usize = 40;
