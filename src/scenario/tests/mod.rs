//! What a scenario file may say, and every fault of one.
