//! One of the two versions that `detente diff` compares.
//!
//! Must not know of the other version.

use crate::cli::backend::Backend;
use anyhow::Result;
use detente_core::engine::Compiled;
use detente_core::scenario::Scenario;
use std::sync::Arc;

/// One of the two versions, and a service in this process that evaluates proposals with it.
pub(super) struct Version {
    pub(super) scenario: Arc<Scenario>,
    pub(super) backend: Backend,
}

impl Version {
    pub(super) fn of(compiled: Compiled) -> Result<Self> {
        Ok(Self { scenario: Arc::clone(compiled.scenario()), backend: Backend::of(vec![compiled])? })
    }
}
