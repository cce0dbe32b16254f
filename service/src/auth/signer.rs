//! How our own client signs what it asks, by the same code that checks it.

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::sigv4::{Received, sign};

/// The headers that are signed beside the host, and the time's form.
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// A key, with which requests without a body are signed.
#[derive(Clone)]
pub struct Signer {
    /// Its name.
    pub id: String,
    /// Its secret, which never travels.
    pub secret: String,
    /// What belongs to it where it is lent for a time.
    pub session_token: Option<String>,
    /// Where the service is said to be.
    pub region: String,
}

impl Signer {
    /// What a GET of a path says beside its host to show who asks; none where that is no host, or a value no header.
    pub fn headers(
        &self,
        host: &str,
        path: &str,
        query: &str,
        now: Timestamp,
    ) -> Option<Vec<(String, String)>> {
        let stamp = now.strftime(STAMP).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).ok()?);
        headers.insert(DATE, HeaderValue::from_str(&stamp).ok()?);
        if let Some(token) = &self.session_token {
            headers.insert(TOKEN, HeaderValue::from_str(token).ok()?);
        }
        let received = Received {
            method: &Method::GET,
            path,
            query,
            headers: &headers,
            body: &[],
        };
        let signed = sign(&received, (&self.id, &self.secret), &self.region, &stamp);
        let mut said = vec![("authorization".to_owned(), signed.to_string())];
        headers.remove(HOST);
        for (name, value) in &headers {
            said.push((name.to_string(), value.to_str().ok()?.to_owned()));
        }
        Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sigv4::Authorization;
    use super::*;

    #[test]
    fn what_is_signed_verifies_for_this_request_and_secret_alone() {
        let signer = Signer {
            id: "KEY".to_owned(),
            secret: "a secret/of+tests".to_owned(),
            session_token: Some("a token".to_owned()),
            region: "eu-central-1".to_owned(),
        };
        let now: Timestamp = "2026-07-12T14:00:00Z".parse().unwrap();
        let (host, query) = ("media.example:8080", "limit=3&cursor=a%2Fb");
        let said = signer.headers(host, "/api/v1/events", query, now).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        for (name, value) in said {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let authorization = headers.remove("authorization").unwrap();
        let authorization = Authorization::parse(authorization.to_str().unwrap()).unwrap();
        let verifies = |path: &str, secret: &str| {
            let received = Received {
                method: &Method::GET,
                path,
                query,
                headers: &headers,
                body: &[],
            };
            authorization.verify(&received, secret, now).is_ok()
        };
        assert!(verifies("/api/v1/events", &signer.secret));
        assert!(!verifies("/api/v1/events/a", &signer.secret));
        assert!(!verifies("/api/v1/events", "another"));
        assert_eq!(signer.headers("a\nb", "/", "", now), None);
    }
}
