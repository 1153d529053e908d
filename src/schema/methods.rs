//! The methods that the server offers, as request paths name them, without the leading slash.
//!
//! Metrics name only these methods: callers could fill the memory with paths that they invent.

use crate::schema::descriptors::POOL;

/// The name of the service that evaluates proposals.
pub(crate) const RED_LINE_SERVICE: &str = "detente.v1.RedLineService";
/// The name of the service for analyses.
pub(crate) const ANALYSIS_SERVICE: &str = "detente.v1.AnalysisService";

/// Returns the methods of this schema, of the health service and of the reflection service.
pub(crate) fn all() -> Vec<String> {
    let mut all = Vec::new();
    for service in POOL.services() {
        all.extend(service.methods().map(|method| format!("{}/{}", service.full_name(), method.name())));
    }
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_the_methods_of_every_service() {
        let all = crate::schema::methods::all();
        for method in [
            "detente.v1.RedLineService/EvaluateProposal",
            "detente.v1.AnalysisService/FindPackages",
            "grpc.health.v1.Health/Check",
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(all.iter().any(|known| known == method), "{method} is not in {all:?}");
        }
    }
}
