//! Who calls, and whether they may: decided by the headers, before anything of a request's body is read.
//!
//! Health is for everyone. Every other call, reflection included, needs credentials where the server knows callers;
//! analyses need a role. Which scenarios a caller sees, and who may suppose, is decided where requests are read.

use crate::access::{Authority, Caller, Role};
use crate::error::ApiError;
use crate::middleware::call::Call;
use crate::middleware::connection_context::Peer;
use crate::middleware::gate::Gate;
use crate::middleware::quota::Quotas;
use crate::schema::proto::analysis_service_server;
use http::Request;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::SystemTime;
use tonic::Status;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::layers::access";

/// Knows the callers.
#[derive(Clone, Debug)]
pub struct Access {
    authority: Arc<Authority>,
    quotas: Option<Quotas>,
}

impl Access {
    /// Callers by this authority, with these quotas.
    pub fn new(authority: Arc<Authority>, quotas: Option<Quotas>) -> Self {
        Self { authority, quotas }
    }

    fn identify<B>(&self, request: &Request<B>) -> Result<Caller, ApiError> {
        if !self.authority.is_needed() {
            let certificate = request.extensions().get::<Peer>().and_then(|peer| peer.certificate.as_ref());
            let caller = certificate.map(|(name, until)| Caller::with_certificate(name, *until));
            return match caller {
                // The connection may be older than the certificate was to become.
                Some(caller) if !caller.stands(SystemTime::now()) => {
                    Err(ApiError::Unauthenticated { denied: "the certificate has expired".to_owned() })
                }
                Some(caller) => Ok(caller),
                None => Ok(Caller::anyone()),
            };
        }
        let mut given = request.headers().get_all(AUTHORIZATION).iter();
        let (first, more) = (given.next(), given.next().is_some());
        // Of two, whoever reads the other one would see another caller.
        let credentials = first.map(http::HeaderValue::as_bytes).filter(|_| !more);
        self.authority.identify(credentials, SystemTime::now()).map_err(|denied| {
            debug!(target: LOG_TARGET, cause = denied.cause(), "a caller is not let in");
            ApiError::Unauthenticated { denied: denied.to_string() }
        })
    }
}

impl Gate for Access {
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Box<Status>> {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.Health/") {
            return Ok(());
        }
        let refused = |error: ApiError| Box::new(Status::from(error));
        let caller = self.identify(request).map_err(refused)?;
        let call = Call::of(request.extensions());
        call.set_caller(caller.clone());
        if let Some(quotas) = &self.quotas {
            let address = request.extensions().get::<Peer>().map(|peer| peer.address);
            let quota = quotas.of(&caller, address);
            quota.take(1).map_err(refused)?;
            request.extensions_mut().insert(quota);
        }
        let path = request.uri().path();
        let analysis = path.strip_prefix('/').and_then(|path| path.strip_prefix(analysis_service_server::SERVICE_NAME));
        if analysis.is_some_and(|method| method.starts_with('/')) && caller.role() < Role::Analyst {
            return Err(refused(ApiError::RoleNotEnough { what: "analyses" }));
        }
        Ok(())
    }
}
