//! Options that several commands share, and how their values are read.

pub(crate) mod aim;
pub(crate) mod inputs;
pub(crate) mod parsers;
pub(crate) mod question;
pub(crate) mod suppose;
