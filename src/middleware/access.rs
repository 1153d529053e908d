//! Authentication and authorisation by the request headers, before the body is read.
//!
//! Health is open to everyone. Every other call, reflection included, needs credentials if the server has an authority
//! that requires them; analyses need the role `analyst`. Must not know the contents of requests: the services decide
//! which scenarios a caller sees and who may evaluate hypotheses.

use crate::access::{Authority, Caller, CallerRole};
use crate::error::ApiError;
use crate::middleware::call::Call;
use crate::middleware::connection_context::Peer;
use crate::middleware::gate::Gate;
use crate::middleware::quota::Quotas;
use crate::schema::methods::ANALYSIS_SERVICE;
use http::Request;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::SystemTime;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::layers::access";

/// Identifies callers, and applies their quotas. Clones share the quotas.
#[derive(Clone, Debug)]
pub struct Access {
    authority: Arc<Authority>,
    quotas: Option<Quotas>,
}

impl Access {
    /// Identifies callers by `authority`; `None` sets no quotas.
    pub fn new(authority: Arc<Authority>, quotas: Option<Quotas>) -> Self {
        Self { authority, quotas }
    }

    fn identify<B>(&self, request: &Request<B>) -> Result<Caller, ApiError> {
        if !self.authority.is_needed() {
            let certificate = request.extensions().get::<Peer>().and_then(|peer| peer.certificate.as_ref());
            let caller = certificate.map(|(name, until)| Caller::with_certificate(name, *until));
            return match caller {
                // The connection may have outlived the certificate.
                Some(caller) if !caller.is_valid_at(SystemTime::now()) => {
                    Err(ApiError::Unauthenticated { denied: "the certificate has expired".to_owned() })
                }
                Some(caller) => Ok(caller),
                None => Ok(Caller::anonymous()),
            };
        }
        let mut headers = request.headers().get_all(AUTHORIZATION).iter();
        let (value, has_duplicate) = (headers.next(), headers.next().is_some());
        // Reject duplicate headers: an intermediary might read the other one, and see another caller.
        let credentials = value.map(http::HeaderValue::as_bytes).filter(|_| !has_duplicate);
        self.authority.identify(credentials, SystemTime::now()).map_err(|denied| {
            debug!(target: LOG_TARGET, cause = denied.cause(), "caller rejected");
            ApiError::Unauthenticated { denied: denied.to_string() }
        })
    }
}

impl Gate for Access {
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), ApiError> {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.Health/") {
            return Ok(());
        }
        let caller = self.identify(request)?;
        let call = Call::of(request.extensions());
        call.set_caller(caller.clone());
        if let Some(quotas) = &self.quotas {
            let address = request.extensions().get::<Peer>().map(|peer| peer.address);
            let quota = quotas.of(&caller, address);
            quota.take(1)?;
            request.extensions_mut().insert(quota);
        }
        let path = request.uri().path();
        let analysis = path.strip_prefix('/').and_then(|path| path.strip_prefix(ANALYSIS_SERVICE));
        if analysis.is_some_and(|method| method.starts_with('/')) && caller.role() < CallerRole::Analyst {
            return Err(ApiError::RoleNotEnough { what: "analyses" });
        }
        Ok(())
    }
}
