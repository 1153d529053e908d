//! Scenario files made from the formats of other programs.

mod genius;
mod published;
