//! Authentication and authorisation by the request headers, before the body is read.
//!
//! Health is open to everyone, without a quota. Every other call, reflection included, needs credentials if the server
//! has an authority that requires them; analyses need the role `analyst`. An address that sends many tokens with wrong
//! signatures waits before the server verifies another one that it does not know. Must not know the contents of
//! requests: the services decide which scenarios a caller sees and who may evaluate hypotheses.

use crate::access::{AuthenticationError, Authority, Caller, CallerRole};
use crate::error::ApiError;
use crate::middleware::account::CallAccount;
use crate::middleware::call::Call;
use crate::middleware::callers::{CallerState, Callers};
use crate::middleware::connection_context::Peer;
use crate::middleware::gate::Gate;
use crate::schema::methods::ANALYSIS_SERVICE;
use http::Request;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::SystemTime;
use tracing::debug;

/// The target of this module's log events. Log filters name it, so it stays as it is when the module moves.
const LOG_TARGET: &str = "detente::grpc::layers::access";

/// Identifies callers, and admits their calls. Clones share the callers.
#[derive(Clone, Debug)]
pub struct Access {
    authority: Arc<Authority>,
    callers: Callers,
}

impl Access {
    /// Identifies callers by `authority`, and counts what they take in `callers`.
    pub fn new(authority: Arc<Authority>, callers: Callers) -> Self {
        Self { authority, callers }
    }

    /// Returns who pays for a call: an identified caller itself, and for all others their address.
    fn payer<B>(&self, caller: Option<&Caller>, request: &Request<B>) -> Arc<CallerState> {
        if let Some(known) = caller.and_then(|caller| self.callers.of_caller(caller)) {
            return known;
        }
        self.address(request)
    }

    /// Returns what the callers of the request's address share.
    fn address<B>(&self, request: &Request<B>) -> Arc<CallerState> {
        match request.extensions().get::<Peer>() {
            Some(peer) if peer.is_proxy => self.callers.behind_proxy(request.headers()),
            Some(peer) => Some(peer.callers.clone()),
            None => None,
        }
        .unwrap_or_else(|| self.callers.others())
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
        let address = self.address(request);
        // Tokens that the server knows pass whatever else their address has sent.
        if let Some(retry_after) = address.wait_of_forger()
            && self.authority.must_verify(credentials)
        {
            return Err(ApiError::QuotaExceeded { retry_after });
        }
        self.authority.identify(credentials, SystemTime::now()).map_err(|denied| {
            if denied == AuthenticationError::BadSignature {
                address.note_forgery();
            }
            debug!(target: LOG_TARGET, cause = denied.cause(), "caller rejected");
            ApiError::Unauthenticated { denied: denied.to_string() }
        })
    }
}

impl Gate for Access {
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), ApiError> {
        let is_health = request.uri().path().starts_with("/grpc.health.v1.Health/");
        let identified = if is_health { Ok(None) } else { self.identify(request).map(Some) };
        let payer = self.payer(identified.as_ref().ok().and_then(Option::as_ref), request);
        let call = Call::of(request.extensions());
        call.set_source(payer.clone());
        let caller = identified?;
        if let Some(account) = request.extensions().get::<CallAccount>() {
            if is_health {
                account.count_health()?;
            }
            account.admit(payer.clone(), request.headers())?;
        }
        let Some(caller) = caller else { return Ok(()) };
        call.set_caller(caller.clone());
        payer.take_quota(1)?;
        request.extensions_mut().insert(payer);
        let path = request.uri().path();
        let analysis = path.strip_prefix('/').and_then(|path| path.strip_prefix(ANALYSIS_SERVICE));
        if analysis.is_some_and(|method| method.starts_with('/')) && caller.role() < CallerRole::Analyst {
            return Err(ApiError::RoleNotEnough { what: "analyses" });
        }
        if let Some(account) = CallAccount::of(request.extensions()).filter(|_| !path.starts_with("/grpc.")) {
            account.keep_connection();
        }
        Ok(())
    }
}
