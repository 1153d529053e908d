//! Callers: how they are identified, and when their credentials expire or are revoked.

use super::{keys, tokens};
use crate::support::credentials::{Signer, claims, entry};
use detente::access::{AuthenticationError, Authority, Caller, CallerKind, CallerRole};
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

#[test]
fn a_certificate_caller_is_valid_until_the_certificate_expires() {
    let now = SystemTime::now();
    let desk = Caller::with_certificate("desk", now);
    assert_eq!((desk.name(), desk.role(), desk.kind()), ("desk", CallerRole::Analyst, CallerKind::Certificate));
    assert!(desk.may_see("anything") && desk.is_valid_at(now - Duration::from_secs(1)) && !desk.is_valid_at(now));
    let anyone = Caller::anonymous();
    assert_eq!(
        (anyone.name(), anyone.role(), anyone.kind()),
        ("anonymous", CallerRole::Analyst, CallerKind::Anonymous)
    );
    assert!(anyone.may_see("anything") && anyone.is_valid_at(now));
}

#[test]
fn callers_of_equal_names_are_told_apart_by_their_kind() {
    let now = SystemTime::now();
    for name in ["anonymous", "desk"] {
        let by_token = tokens(&[entry(name, "1", "reader", "")]).find(b"1").unwrap().clone();
        let signer = Signer::new("key", Algorithm::EdDSA);
        let mut claims = claims(now);
        claims["sub"] = name.into();
        let by_jwt = keys(&[&signer], &["EdDSA"]).verify(&signer.sign(&claims), now).unwrap();
        let callers = [Caller::anonymous(), Caller::with_certificate(name, now), by_token, by_jwt];
        let kinds: BTreeSet<_> = callers.iter().map(|caller| caller.kind().as_str()).collect();
        assert_eq!(kinds.len(), callers.len(), "{kinds:?}");
        let keys: HashSet<_> = callers.iter().map(Caller::key).collect();
        assert_eq!(keys.len(), callers.len(), "{keys:?}");
        assert!(callers[1..].iter().all(|caller| caller.name() == name));
    }
}

#[test]
fn a_caller_removed_from_the_token_file_is_revoked() {
    let now = SystemTime::now();
    let authority = Authority::new(
        Some(tokens(&[
            entry("stays", "1", "reader", ""),
            entry("leaves", "2", "reader", ""),
            entry("rises", "3", "reader", ""),
            entry("widens", "4", "reader", ", scenarios: [one]"),
            entry("narrows", "5", "reader", ""),
            entry("changes-hands", "6", "reader", ""),
        ])),
        None,
    );
    let identify = |token: &str| authority.identify(Some(format!("Bearer {token}").as_bytes()), now);
    let [stays, leaves, rises] = ["1", "2", "3"].map(|token| identify(token).unwrap());
    let others = ["4", "5", "6"].map(|token| identify(token).unwrap());
    authority.replace_tokens(tokens(&[
        entry("stays", "1", "reader", ""),
        entry("rises", "3", "analyst", ""),
        entry("widens", "4", "reader", ""),
        entry("narrows", "5", "reader", ", scenarios: [one]"),
        entry("has-changed-hands", "6", "reader", ""),
    ]));
    for before in others {
        assert!(
            !before.is_valid_at(now),
            "{} is still valid, although its token now belongs to another caller",
            before.name()
        );
    }
    assert!(identify("4").unwrap().may_see("two") && !identify("5").unwrap().may_see("two"));
    assert_eq!(identify("6").unwrap().name(), "has-changed-hands");
    assert!(stays.is_valid_at(now) && identify("1").unwrap().is_valid_at(now));
    assert!(!leaves.is_valid_at(now), "a revoked token is still valid");
    assert_eq!(identify("2").unwrap_err(), AuthenticationError::UnknownToken);
    assert!(!rises.is_valid_at(now), "a caller with changed rights is still valid");
    assert_eq!(identify("3").unwrap().role(), CallerRole::Analyst);
    // Replace the file once more: an identity carried over by the first replacement is revoked by the second.
    authority.replace_tokens(tokens(&[entry("rises", "3", "analyst", "")]));
    assert!(!stays.is_valid_at(now));
}

#[test]
fn removing_a_key_revokes_the_tokens_it_signed() {
    let now = SystemTime::now();
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let authority = Authority::new(None, Some(keys(&[&old], &["ES256"])));
    let identify = |token: &str| authority.identify(Some(format!("Bearer {token}").as_bytes()), now);
    let by_old = old.sign(&claims(now));
    let before = identify(&by_old).unwrap();
    authority.replace_keys(keys(&[&old, &new], &["ES256"]));
    assert!(before.is_valid_at(now));
    assert!(identify(&by_old).is_ok() && identify(&new.sign(&claims(now))).is_ok());
    authority.replace_keys(keys(&[&new], &["ES256"]));
    assert!(!before.is_valid_at(now));
    assert_eq!(identify(&by_old).unwrap_err(), AuthenticationError::UnknownKey);
    // A different key under a name that was used before revokes the tokens of the earlier key.
    let before = identify(&new.sign(&claims(now))).unwrap();
    let renewed = Signer::new("new", Algorithm::ES256);
    authority.replace_keys(keys(&[&renewed], &["ES256"]));
    assert!(!before.is_valid_at(now) && identify(&renewed.sign(&claims(now))).is_ok());
    assert_eq!(identify(&new.sign(&claims(now))).unwrap_err(), AuthenticationError::BadSignature);
}

#[test]
fn the_authorization_header_is_parsed_strictly() {
    let now = SystemTime::now();
    let signer = Signer::new("a", Algorithm::ES256);
    let jwt = signer.sign(&claims(now));
    // Two of the listed tokens resemble a JWT but do not have its form.
    let listed = ["secret", "eyJsecret", "a.secret.b"].map(|token| entry("a", token, "reader", ""));
    let both = Authority::new(Some(tokens(&listed)), Some(keys(&[&signer], &["ES256"])));
    let identify = |header: &str| both.identify(Some(header.as_bytes()), now).map(|caller| caller.name().to_owned());
    for accepted in
        ["Bearer secret", "bearer secret", "BEARER  secret", "Bearer secret ", "Bearer eyJsecret", "Bearer a.secret.b"]
    {
        assert_eq!(identify(accepted).as_deref(), Ok("a"), "{accepted}");
    }
    assert_eq!(identify(&format!("Bearer {jwt}")).as_deref(), Ok("service-a"));
    for refused in ["Basic secret", "Digest secret", "secret", "Bearersecret", "", "Bearer", "Token secret"] {
        assert_eq!(identify(refused).unwrap_err(), AuthenticationError::NotBearer, "{refused}");
    }
    assert_eq!(identify("Bearer ").unwrap_err(), AuthenticationError::UnknownToken);
    assert_eq!(both.identify(None, now).unwrap_err(), AuthenticationError::NoCredentials);
    assert!(both.is_needed() && !Authority::none().is_needed());
    // `Debug` output contains neither a token nor its hash, and the error message does not reveal why a token is
    // rejected.
    let shown = format!("{both:?}");
    assert!(!shown.contains("secret") && !shown.contains("2bb80d53"), "{shown}");
    let messages: std::collections::BTreeSet<String> = [
        AuthenticationError::UnknownToken,
        AuthenticationError::Expired,
        AuthenticationError::BadSignature,
        AuthenticationError::WrongIssuer,
        AuthenticationError::UnknownKey,
    ]
    .map(|denied| denied.to_string())
    .into();
    assert_eq!(messages.len(), 1, "{messages:?}");
}

proptest! {
    #[test]
    fn nothing_panics_whatever_the_header(header in prop::collection::vec(any::<u8>(), 0..200), jwt in "eyJ[ -~]{0,40}\\.[ -~]{0,40}\\.[ -~]{0,40}") {
        let signer = Signer::new("a", Algorithm::EdDSA);
        let authority = Authority::new(None, Some(keys(&[&signer], &["EdDSA"])));
        prop_assert!(authority.identify(Some(&header), SystemTime::now()).is_err());
        let bearer = format!("Bearer {jwt}");
        prop_assert!(authority.identify(Some(bearer.as_bytes()), SystemTime::now()).is_err());
    }
}
