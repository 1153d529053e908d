//! Options that several commands share, and the parsing of their values.
//!
//! Must not know the commands.

pub(crate) mod aim;
pub(crate) mod inputs;
pub(crate) mod parsers;
pub(crate) mod question;
pub(crate) mod scenario_size;
pub(crate) mod suppose;
