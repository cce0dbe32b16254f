//! Tokens of an issuer of OpenID Connect: its keys are found by its address, kept, and asked for anew when a token names one that
//! is not known, but not as often as strangers like.

use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use matchcut_ingest::reach::Reach;
use matchcut_ingest::{FetchOptions, Fetcher};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Handle;

use super::bearer::{self, BadToken};
use super::claims::RoleMap;
use super::gate::Caller;
use super::local::is_this_machine;
use crate::limits::Buckets;

/// How tokens may be signed.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// After so long keys are asked for again, so that one that was taken back is forgotten.
const FRESH: Duration = Duration::from_secs(3600);

/// For so long keys count when the issuer cannot be asked.
const USABLE: Duration = Duration::from_secs(24 * 3600);

/// How often an issuer is asked at most: so many times in a minute, and at once.
const ASKED: u32 = 5;

/// How long it may take to answer, in seconds.
const PATIENCE: i64 = 5;

/// The largest answer that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What stands behind the address of an issuer.
const DISCOVERY: &str = ".well-known/openid-configuration";

/// Checks tokens of an issuer.
pub struct Oidc {
    issuer: String,
    validation: Validation,
    roles: RoleMap,
    fetcher: Fetcher,
    /// Whether the issuer is on this machine, where http is as good.
    local: bool,
    asked: Buckets<()>,
    /// Held by who asks.
    asking: Mutex<()>,
    keys: RwLock<Keys>,
}

/// A key: its name, what it verifies, and itself.
type Known = (Option<String>, Algorithm, DecodingKey);

#[derive(Default)]
struct Keys {
    all: Vec<Known>,
    since: Option<Instant>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Oidc {
    /// Tokens of `issuer` for `audience`. Asks nobody yet; an error says what is wrong with the address.
    pub fn new(issuer: &str, audience: &str, leeway: u64, roles: RoleMap) -> Result<Oidc, String> {
        let local = match scheme_and_host(issuer) {
            Some(("https", _)) => false,
            Some(("http", host)) if is_this_machine(host) => true,
            _ => return Err("an issuer is an https address".to_owned()),
        };
        // Keys that came another way would be anybody's.
        let mut reach = Reach::nothing(std::path::Path::new(""));
        reach.allow("https://*")?;
        if local {
            for host in ["localhost", "127.0.0.1", "[::1]"] {
                reach.allow(&format!("http://{host}"))?;
            }
        }
        let options = FetchOptions {
            timeout: matchcut_ingest::TextDuration::seconds(PATIENCE),
            retries: 0,
            max_bytes: LARGEST,
            ..FetchOptions::default()
        };
        Ok(Oidc {
            issuer: issuer.to_owned(),
            validation: bearer::validation(&ALGORITHMS, issuer, Some(audience), leeway),
            roles,
            fetcher: Fetcher::new(options).with_reach(reach),
            local,
            asked: Buckets::new((ASKED, Duration::from_secs(60), ASKED)),
            asking: Mutex::default(),
            keys: RwLock::default(),
        })
    }

    /// Who bears a token with this header. Asks the issuer where its keys are not known, and waits for it: to be called
    /// where that holds up nobody, on a thread of the runtime.
    pub fn caller(&self, token: &str, header: &Header) -> Result<Caller, BadToken> {
        if !ALGORITHMS.contains(&header.alg) {
            return Err(BadToken::Unverified);
        }
        let key = self.key(header)?;
        let mut validation = self.validation.clone();
        // The key is of one family, and all that may be are of the same.
        validation.algorithms = vec![header.alg];
        bearer::caller("oidc", token, &key, &validation, &self.roles)
    }

    fn key(&self, header: &Header) -> Result<DecodingKey, BadToken> {
        if let (Some(key), Some(since)) = self.known(header)
            && since.elapsed() < FRESH
        {
            return Ok(key);
        }
        let begun = Instant::now();
        // One asks, and others wait for its answer; whose key is known is not among them.
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, since) = self.known(header);
        if let (Some(key), Some(since)) = (&found, since)
            && since > begun
        {
            return Ok(key.clone());
        }
        if self.asked.take((), Instant::now()).is_ok() {
            match self.fetch() {
                Ok(all) => {
                    let found = find(&all, header).ok_or(BadToken::Unverified);
                    let since = Some(Instant::now());
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) =
                        Keys { all, since };
                    return found;
                }
                Err(error) => {
                    let issuer = &self.issuer;
                    tracing::warn!(issuer, error, "the keys of the issuer cannot be had");
                }
            }
        }
        match (found, since) {
            (Some(key), Some(since)) if since.elapsed() < USABLE => Ok(key),
            (_, None) => Err(BadToken::NoKeys),
            _ => Err(BadToken::Unverified),
        }
    }

    fn known(&self, header: &Header) -> (Option<DecodingKey>, Option<Instant>) {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        (find(&keys.all, header), keys.since)
    }

    fn fetch(&self) -> Result<Vec<Known>, String> {
        let address = format!("{}/{DISCOVERY}", self.issuer.trim_end_matches('/'));
        let found: Discovery = self.read(&address)?;
        if found.issuer != self.issuer {
            return Err(format!("{address} is of another issuer, {}", found.issuer));
        }
        match scheme_and_host(&found.jwks_uri) {
            Some(("https", _)) => {}
            Some(("http", host)) if self.local && is_this_machine(host) => {}
            _ => {
                return Err(format!(
                    "{address} names keys that are not at an https address"
                ));
            }
        }
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = self.read(&found.jwks_uri)?;
        let all: Vec<_> = set.keys.into_iter().filter_map(usable).collect();
        match all.is_empty() {
            true => Err(format!("{} has no key for RS256 or ES256", found.jwks_uri)),
            false => Ok(all),
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, address: &str) -> Result<T, String> {
        let bytes = Handle::current()
            .block_on(self.fetcher.get(address))
            .map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{address}: {error}"))
    }
}

/// The key that a header names; without a name the only one that fits.
fn find(all: &[Known], header: &Header) -> Option<DecodingKey> {
    let mut fit = all.iter().filter(|(kid, algorithm, _)| {
        *algorithm == header.alg && (header.kid.is_none() || *kid == header.kid)
    });
    match (fit.next(), fit.next()) {
        (Some((_, _, key)), None) => Some(key.clone()),
        _ => None,
    }
}

/// A key that verifies signatures of a kind that is accepted.
fn usable(key: Value) -> Option<Known> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        _ => return None,
    };
    let signs = matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let said = match key.common.key_algorithm {
        None => Some(algorithm),
        Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
        Some(_) => None,
    };
    let same = said == Some(algorithm);
    if !signs || !same {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some((key.common.key_id, algorithm, decoding))
}

fn scheme_and_host(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let plain = !authority.is_empty() && !authority.contains('@') && !rest.contains(['?', '#']);
    plain.then_some((scheme, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_over_tls_or_on_this_machine() {
        let of = |issuer: &str| Oidc::new(issuer, "a", 0, RoleMap::default()).is_ok();
        assert!(of("https://id.example.com") && of("https://id.example.com/realms/a/"));
        assert!(of("http://127.0.0.1:8080") && of("http://localhost:1/a"));
        for issuer in [
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "file:///etc",
            "id.example.com",
            "https://",
            "https://a@b",
            "https://id.example.com?x",
        ] {
            assert!(!of(issuer), "{issuer}");
        }
    }
}
