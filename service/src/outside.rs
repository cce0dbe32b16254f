//! What must hold of whatever the network sends, or an operator writes into the configuration: each function reads one thing
//! outside of a server, and panics where something does not hold. Fuzz targets call them.

#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a check panics when something does not hold"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use matchcut_ingest::reach::{Reach, is_public};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::Connection;
use serde_json::Value;
use url::{Host, Url};

use crate::api::files::is_plain;
use crate::api::is_id;
use crate::audit::{Entry, line};
use crate::auth::sigv4::{Authorization, Received, canonical_path, canonical_queries, sign};
use crate::auth::{Bearer, Role, RoleMap, bearer, local};
use crate::config::{Config, Reference};
use crate::endpoint::pairs;
use crate::mre::{MreOptions, to_spec};
use crate::store::named::PROFILE;
use crate::store::{self, Row, named, versioned};

const SECRET: &str = "a secret that no input has, since it is as long as a secret of this kind";
const NOW: &str = "2026-07-12T13:00:00Z";
const STAMP: &str = "20260712T130000Z";

/// A request as it may come.
pub struct Request {
    pub authorization: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// `name: value`, a line each.
    pub headers: String,
    pub body: String,
}

impl Request {
    fn received<'a>(&'a self, method: &'a Method, headers: &'a HeaderMap) -> Received<'a> {
        Received {
            method,
            path: &self.path,
            query: &self.query,
            headers,
            body: self.body.as_bytes(),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in self.headers.lines().take(64) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let name = HeaderName::from_bytes(name.trim().as_bytes());
            let value = HeaderValue::from_bytes(value.trim().as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        headers
    }
}

pub fn paths_and_queries_are_canonical(path: &str, query: &str) {
    let canonical = canonical_path(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    assert!(canonical.bytes().all(plain), "{canonical}");
    let rest = canonical
        .strip_prefix('/')
        .expect("a path begins with a slash");
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let detours = |part: &str| part.is_empty() || part == "." || part == "..";
    assert!(
        rest.is_empty() || !rest.split('/').any(detours),
        "{canonical}"
    );
    for form in canonical_queries(query) {
        // What is as it came is sorted as well.
        let again = canonical_queries(&form);
        assert!(again.contains(&form), "{form} {again:?}");
    }
}

pub fn only_the_secret_signs(request: &Request) {
    let now: Timestamp = NOW.parse().expect("a time");
    let method: Method = request.method.parse().unwrap_or(Method::GET);
    let mut headers = request.headers();
    if let Ok(authorization) = Authorization::parse(&request.authorization) {
        assert!(!authorization.key_id.contains('/'));
        assert!(
            authorization
                .verify(&request.received(&method, &headers), SECRET, now)
                .is_err()
        );
    }
    local::is_local(([127, 0, 0, 1], 1).into(), &headers);
    headers.insert("host", HeaderValue::from_static("localhost"));
    headers.insert("x-amz-date", HeaderValue::from_static(STAMP));
    headers.remove("x-amz-content-sha256");
    let received = request.received(&method, &headers);
    let signed = sign(&received, ("KEY", SECRET), "eu-central-1", STAMP);
    let read = Authorization::parse(&signed.to_string());
    assert_eq!(read.as_ref(), Ok(&signed));
    assert_eq!(
        signed.verify(&request.received(&method, &headers), SECRET, now),
        Ok(())
    );
    assert!(
        signed
            .verify(&request.received(&method, &headers), "another", now)
            .is_err()
    );
    let other = Received {
        body: b"another body, which was not signed",
        ..request.received(&method, &headers)
    };
    assert!(signed.verify(&other, SECRET, now).is_err());
}

pub fn only_the_secret_makes_tokens(header: &str, claims: &str) {
    let token = bearer::token(header).unwrap_or(header);
    let roles = RoleMap::new("role", BTreeMap::new(), None);
    let bearer = Bearer::shared(SECRET.as_bytes(), "mre", None, 30, roles);
    let _ = bearer::header(token);
    assert!(bearer.caller(token).is_err());
    let Ok(claims) = serde_json::from_str::<Value>(claims) else {
        return;
    };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let Ok(token) = encode(&Header::new(Algorithm::HS512), &claims, &key) else {
        return;
    };
    if bearer::header(&token).is_ok()
        && let Ok(caller) = bearer.caller(&token)
    {
        assert!(caller.who.starts_with("jwt:") && caller.who.chars().count() <= 204);
        assert_eq!(caller.role.name().parse(), Ok(caller.role));
        let exp = claims.get("exp").and_then(Value::as_f64);
        let soon = get_current_timestamp().saturating_sub(60) as f64;
        assert!(exp.is_some_and(|exp| exp >= soon), "{claims}");
        let is_ours = |issuer: &Value| issuer == "mre";
        let issuer = claims.get("iss").expect("an issuer");
        let many = issuer.as_array().is_some_and(|all| all.iter().any(is_ours));
        assert!(is_ours(issuer) || many, "{claims}");
    }
}

pub fn pairs_read_again(query: &str) {
    let read = pairs(query);
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<String> = read
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    assert_eq!(pairs(&written.join("&")), read);
}

pub fn names_stay_inside(path: &str) {
    let dir = Path::new("/data/events");
    if is_id(path) {
        let inside = dir.join(path);
        assert_eq!(inside.parent(), Some(dir));
        assert_eq!(
            inside.file_name().and_then(|name| name.to_str()),
            Some(path)
        );
    }
    if is_plain(path) {
        let inside = dir.join(path);
        assert!(inside.starts_with(dir) && inside != dir);
        let mut parts = inside.components().skip(1);
        assert!(parts.all(|part| matches!(part, Component::Normal(_))));
    }
    if let Ok(uri) = path.parse::<Uri>() {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let needed = Role::needed(&method, uri.path());
            assert!(method != Method::DELETE || needed > Role::Viewer || uri.path() == "/");
        }
    }
}

pub fn a_configuration_is_right_or_told(text: &str) {
    let secret = |_: &Reference<'_>| Ok(SECRET.to_owned());
    let parsed = Config::parse(text, "serve.toml", Path::new("/etc"), &secret);
    let Err(found) = parsed else {
        return;
    };
    assert!(found.has_errors());
    for finding in found.iter() {
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1);
        let (start, end) = finding.span;
        assert!(text.get(start..end).is_some(), "{finding:?}");
        assert!(!finding.to_string().contains(SECRET));
    }
}

/// Each line is a rule and an address.
pub fn rules_allow_what_they_say(text: &str) {
    let usual = Reach::usual();
    let mut all = Reach::nothing(Path::new("/etc"));
    for line in text.lines().take(64) {
        if let Ok(url) = Url::parse(line) {
            let may = usual.check(&url).is_ok();
            let public = match url.host() {
                Some(Host::Ipv4(address)) => is_public(address.into()),
                Some(Host::Ipv6(address)) => is_public(address.into()),
                _ => true,
            };
            assert!(
                !may || public || url.scheme() == "s3" || url.scheme() == "kvs",
                "{url}"
            );
            assert!(!may || url.scheme() != "file", "{url}");
            let mut own = Reach::nothing(Path::new("/etc"));
            let plain = matches!(url.scheme(), "http" | "https") && !line.contains('*');
            if plain && own.allow(line).is_ok() {
                assert!(own.check(&url).is_ok(), "{line}");
            }
        }
        let _ = all.allow(line);
    }
}

pub fn a_line_of_the_log_is_a_line(text: &str) {
    let entry = Entry {
        who: text,
        role: None,
        method: text,
        path: text,
        status: 200,
        address: [192, 0, 2, 1].into(),
    };
    let line = line(&entry, Timestamp::UNIX_EPOCH);
    let rest = line.strip_suffix('\n').expect("a line ends");
    assert!(rest.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let read: Value = serde_json::from_str(rest).expect("a line is JSON");
    let kept: String = text.chars().take(1024).collect();
    for name in ["who", "method", "path"] {
        assert_eq!(read.get(name).and_then(Value::as_str), Some(kept.as_str()));
    }
}

/// `{"event": …, "profile": …, "plugins": {NAME: …}}`
pub fn an_event_of_mre_is_a_spec(text: &str) {
    thread_local! {
        static STORE: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    let Ok(Value::Object(given)) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let row = |name: &str| -> Option<&Row> { given.get(name)?.as_object() };
    let (Some(event), Some(profile)) = (row("event"), row("profile")) else {
        return;
    };
    STORE.with_borrow_mut(|kept| {
        let db = kept.get_or_insert_with(|| store::in_memory().expect("a store"));
        let transaction = db.transaction().expect("a transaction");
        let name = event.get("Profile").and_then(Value::as_str);
        named::put(&transaction, PROFILE, name.unwrap_or_default(), profile).expect("a row");
        for (name, plugin) in row("plugins").into_iter().flatten().take(16) {
            if let Some(plugin) = plugin.as_object() {
                versioned::put(&transaction, "plugin", name, 0, plugin).expect("a row");
            }
        }
        if let Ok(made) = to_spec::spec(&transaction, event, &MreOptions::default()) {
            let written = made.spec.to_string();
            let read: toml::Table = written.parse().expect("a spec is TOML");
            assert_eq!(read.to_string(), written);
        }
    });
}
