//! Bearer tokens (JSON Web Tokens): those that are signed with a secret which their maker shares with this server, as MRE's gateway
//! takes them, and what tokens of all kinds are held to.

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::Value;

use super::claims::{RoleMap, subject};
use super::gate::Caller;

/// A longer token is not looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// Why a token is not accepted. What is told helps an honest client and says nothing of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is no token, or signed in a way or by somebody that is not accepted here.
    #[error("The token cannot be verified")]
    Unverified,
    /// Its time is over.
    #[error("The token has expired")]
    Expired,
    /// Its time has not come.
    #[error("The token is not valid yet")]
    Early,
    /// It was made by or for somebody else.
    #[error("The token is of another issuer, or for another audience")]
    Foreign,
    /// A claim that has to be there is not.
    #[error("The token lacks one of the claims exp, iss and aud that it needs here")]
    Incomplete,
    /// It gives no role.
    #[error("The token gives no role for this service")]
    NoRole,
    /// The keys of the issuer cannot be had.
    #[error("The keys of the issuer cannot be had at the moment")]
    NoKeys,
}

impl From<Error> for BadToken {
    fn from(error: Error) -> BadToken {
        match error.kind() {
            ErrorKind::ExpiredSignature => BadToken::Expired,
            ErrorKind::ImmatureSignature => BadToken::Early,
            ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => BadToken::Foreign,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
                BadToken::Incomplete
            }
            _ => BadToken::Unverified,
        }
    }
}

/// The token of a header `Authorization`, where it is one.
pub fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The header of a token; none where it is too long, or says that something has to be understood that is not.
pub fn header(token: &str) -> Result<Header, BadToken> {
    if token.len() > LONGEST {
        return Err(BadToken::Unverified);
    }
    let header = decode_header(token).map_err(|_| BadToken::Unverified)?;
    match header.crit {
        None => Ok(header),
        Some(_) => Err(BadToken::Unverified),
    }
}

/// What a token is held to.
pub fn validation(
    algorithms: &[Algorithm],
    issuer: &str,
    audience: Option<&str>,
    leeway: u64,
) -> Validation {
    let mut validation = Validation {
        algorithms: algorithms.to_vec(),
        leeway,
        validate_nbf: true,
        ..Validation::default()
    };
    validation.set_issuer(&[issuer]);
    match audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        }
        // A token that is for somebody is not for us then.
        None => validation.set_required_spec_claims(&["exp", "iss"]),
    }
    validation
}

/// Who bears a token that a key verifies.
pub fn caller(
    kind: &str,
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
    roles: &RoleMap,
) -> Result<Caller, BadToken> {
    let decoded = decode::<Value>(token, key, validation)?;
    let role = roles.role(&decoded.claims).ok_or(BadToken::NoRole)?;
    Ok(Caller {
        who: subject(kind, &decoded.claims),
        role,
    })
}

/// Checks tokens that are signed with a shared secret.
pub struct Bearer {
    key: DecodingKey,
    validation: Validation,
    roles: RoleMap,
}

impl Bearer {
    /// Tokens of an issuer that shares a secret, by HS512 alone.
    pub fn shared(
        secret: &[u8],
        issuer: &str,
        audience: Option<&str>,
        leeway: u64,
        roles: RoleMap,
    ) -> Bearer {
        Bearer {
            key: DecodingKey::from_secret(secret),
            validation: validation(&[Algorithm::HS512], issuer, audience, leeway),
            roles,
        }
    }

    /// Who bears a token.
    pub fn caller(&self, token: &str) -> Result<Caller, BadToken> {
        caller("jwt", token, &self.key, &self.validation, &self.roles)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jsonwebtoken::{EncodingKey, encode, get_current_timestamp};
    use serde_json::json;

    use super::super::Role;
    use super::*;

    const SECRET: &[u8] = &[7; 64];

    fn bearer(audience: Option<&str>) -> Bearer {
        let roles = RoleMap::new("role", BTreeMap::new(), None);
        Bearer::shared(SECRET, "mre", audience, 30, roles)
    }

    fn signed(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
        encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(secret),
        )
        .unwrap()
    }

    fn claims(more: Value) -> Value {
        let now = get_current_timestamp();
        let mut claims = json!({ "iss": "mre", "exp": now + 60, "role": "editor", "sub": "anna" });
        let all = claims.as_object_mut().unwrap();
        for (name, value) in more.as_object().unwrap() {
            match value.is_null() {
                true => all.remove(name),
                false => all.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    #[test]
    fn tokens_are_held_to_everything() {
        let now = get_current_timestamp();
        let of = |more: Value| {
            let token = signed(Algorithm::HS512, SECRET, &claims(more));
            let caller = header(&token).and_then(|_| bearer(None).caller(&token));
            caller.map(|caller| (caller.who, caller.role))
        };
        assert_eq!(of(json!({})), Ok(("jwt:anna".to_owned(), Role::Editor)));
        assert!(of(json!({ "exp": now - 29 })).is_ok());
        assert_eq!(of(json!({ "exp": now - 40 })), Err(BadToken::Expired));
        assert_eq!(of(json!({ "exp": null })), Err(BadToken::Incomplete));
        assert_eq!(of(json!({ "exp": "soon" })), Err(BadToken::Incomplete));
        assert_eq!(of(json!({ "nbf": now + 60 })), Err(BadToken::Early));
        assert_eq!(of(json!({ "iss": "other" })), Err(BadToken::Foreign));
        assert_eq!(of(json!({ "iss": null })), Err(BadToken::Incomplete));
        assert_eq!(of(json!({ "aud": "other" })), Err(BadToken::Foreign));
        assert_eq!(of(json!({ "role": "owner" })), Err(BadToken::NoRole));
        let audience = |aud: Value| {
            let token = signed(Algorithm::HS512, SECRET, &claims(json!({ "aud": aud })));
            bearer(Some("matchcut")).caller(&token).map(|_| ())
        };
        assert_eq!(audience(json!("matchcut")), Ok(()));
        assert_eq!(audience(json!(["x", "matchcut"])), Ok(()));
        assert_eq!(audience(json!("x")), Err(BadToken::Foreign));
        assert_eq!(audience(Value::Null), Err(BadToken::Incomplete));
    }

    #[test]
    fn only_the_agreed_algorithm_counts() {
        let good = signed(Algorithm::HS512, SECRET, &claims(json!({})));
        let of = |token: &str| header(token).and_then(|_| bearer(None).caller(token));
        assert!(of(&good).is_ok());
        for algorithm in [Algorithm::HS256, Algorithm::HS384] {
            let weaker = signed(algorithm, SECRET, &claims(json!({})));
            assert_eq!(of(&weaker).err(), Some(BadToken::Unverified));
        }
        let other = signed(Algorithm::HS512, &[8; 64], &claims(json!({})));
        assert_eq!(of(&other).err(), Some(BadToken::Unverified));
        // {"alg":"none"}, in all spellings, with and without a signature.
        let mut parts = good.split('.').skip(1);
        let (body, signature) = (parts.next().unwrap(), parts.next().unwrap());
        for head in [
            "eyJhbGciOiJub25lIn0",
            "eyJhbGciOiJOb25lIn0",
            "eyJhbGciOiJOT05FIn0",
        ] {
            for signature in ["", signature] {
                let token = format!("{head}.{body}.{signature}");
                assert_eq!(of(&token).err(), Some(BadToken::Unverified), "{token}");
            }
        }
        let mut critical = Header::new(Algorithm::HS512);
        critical.crit = Some(vec!["b64".to_owned()]);
        let key = EncodingKey::from_secret(SECRET);
        let critical = encode(&critical, &claims(json!({})), &key).unwrap();
        assert_eq!(of(&critical).err(), Some(BadToken::Unverified));
        for token in ["", ".", "..", "a.b.c", &"a".repeat(LONGEST + 1)] {
            assert_eq!(of(token).err(), Some(BadToken::Unverified));
        }
    }

    #[test]
    fn the_scheme_has_no_case() {
        assert_eq!(token("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(token("bearer  a"), Some("a"));
        assert_eq!(token("Basic a"), None);
        assert_eq!(token("Bearer"), None);
    }
}
