//! Signature Version 4 of AWS, read and computed again as its documentation says ("Create a signed AWS API
//! request"). The libraries that there are sign; what a request that came must be checked against is what
//! its own list of signed headers says, so the canonical request is made here.

use std::fmt;

use axum::http::header::{DATE, HOST};
use axum::http::{HeaderMap, Method};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

type HmacSha256 = Hmac<Sha256>;

/// How the scheme names itself.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// What says that the body is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What the header `Authorization` says.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The name of the key.
    pub key_id: String,
    /// The day for which the signing key is, `YYYYMMDD`.
    date: String,
    /// The region that the client believes in.
    region: String,
    /// The service that the client believes in.
    pub service: String,
    /// Names of headers, in lower case.
    signed_headers: Vec<String>,
    signature: Vec<u8>,
}

/// A request as it came.
pub struct Received<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, encoded as it was sent.
    pub path: &'a str,
    /// Its query, encoded as it was sent.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing of the scheme can be read.
    #[error(
        "The Authorization header is not of the form AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…"
    )]
    Malformed,
    /// Headers that have to be signed are not.
    #[error("The headers host, x-amz-date (or date) and all other x-amz-* have to be signed")]
    Unsigned,
    /// No time, or one that cannot be read, or of another day than the key.
    #[error("The request needs a date in x-amz-date, of the day that its credential names")]
    Undated,
    /// Clocks differ.
    #[error("Signature expired or not yet current: the clocks differ by more than 15 minutes")]
    Expired,
    /// The body is not the one that was signed.
    #[error("The x-amz-content-sha256 header does not match the body of the request")]
    OtherBody,
    /// The signature is another.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

impl Authorization {
    /// Reads the header.
    pub fn parse(header: &str) -> Result<Authorization, Refusal> {
        let malformed = Refusal::Malformed;
        let rest = header.strip_prefix(ALGORITHM).ok_or(malformed)?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(malformed)?;
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed = Some(value),
                "Signature" => signature = Some(value),
                _ => return Err(malformed),
            }
        }
        let scope: Vec<&str> = credential.ok_or(malformed)?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = scope[..] else {
            return Err(malformed);
        };
        let signed_headers = signed.ok_or(malformed)?.split(';').map(str::to_owned);
        Ok(Authorization {
            key_id: key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.collect(),
            signature: from_hex(signature.ok_or(malformed)?).ok_or(malformed)?,
        })
    }

    /// Whether a request bears the signature of a secret. What takes long depends on the request alone,
    /// and the comparison takes the same time whatever differs.
    pub fn verify(
        &self,
        received: &Received<'_>,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let time = self.time(received.headers)?;
        if now.duration_since(time).abs() > SKEW {
            return Err(Refusal::Expired);
        }
        self.check_signed(received.headers)?;
        let payload = payload(received)?;
        let key = self.signing_key(secret)?;
        let stamp = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        for query in canonical_queries(received.query) {
            let request = self.canonical_request(received, &query, &payload);
            let signature = self.signature(&request, &stamp, &key)?;
            if signature.verify_slice(&self.signature).is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::Mismatch)
    }

    fn signature(&self, request: &str, stamp: &str, key: &[u8]) -> Result<HmacSha256, Refusal> {
        let Authorization {
            date,
            region,
            service,
            ..
        } = self;
        let request = hex(&Sha256::digest(request));
        let text =
            format!("{ALGORITHM}\n{stamp}\n{date}/{region}/{service}/aws4_request\n{request}");
        keyed(key, &text)
    }

    fn time(&self, headers: &HeaderMap) -> Result<Timestamp, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let time = match text("x-amz-date") {
            Some(text) => jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text)
                .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
                .map(|time| time.timestamp()),
            None => {
                let text = text(DATE.as_str()).ok_or(Refusal::Undated)?;
                let parser = jiff::fmt::rfc2822::DateTimeParser::new();
                parser.parse_timestamp(text)
            }
        };
        let time = time.map_err(|_| Refusal::Undated)?;
        match time.strftime("%Y%m%d").to_string() == self.date {
            true => Ok(time),
            false => Err(Refusal::Undated),
        }
    }

    fn check_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let dated = match headers.contains_key("x-amz-date") {
            true => "x-amz-date",
            false => DATE.as_str(),
        };
        let mut amz = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-amz-"));
        let all = signed(HOST.as_str()) && signed(dated) && amz.all(|name| signed(name.as_str()));
        match all {
            true => Ok(()),
            false => Err(Refusal::Unsigned),
        }
    }

    fn signing_key(&self, secret: &str) -> Result<Vec<u8>, Refusal> {
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [&self.date, &self.region, &self.service, "aws4_request"] {
            key = keyed(&key, part)?.finalize().into_bytes().to_vec();
        }
        Ok(key)
    }

    fn canonical_request(&self, received: &Received<'_>, query: &str, payload: &str) -> String {
        let mut out = format!(
            "{}\n{}\n{query}\n",
            received.method,
            canonical_path(received.path)
        );
        for name in &self.signed_headers {
            let values = received.headers.get_all(name.as_str()).iter();
            let values: Vec<String> = values
                .map(|value| {
                    let text = String::from_utf8_lossy(value.as_bytes());
                    let words: Vec<&str> =
                        text.split(' ').filter(|word| !word.is_empty()).collect();
                    words.join(" ")
                })
                .collect();
            out.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        out.push_str(&format!("\n{}\n{payload}", self.signed_headers.join(";")));
        out
    }
}

impl fmt::Display for Authorization {
    /// The header.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authorization {
            key_id,
            date,
            region,
            service,
            ..
        } = self;
        write!(
            out,
            "{ALGORITHM} Credential={key_id}/{date}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={}",
            self.signed_headers.join(";"),
            hex(&self.signature)
        )
    }
}

/// A signature of a request, over all of its headers: what whoever has the secret would present. What checks the
/// checking signs here, and our own client; `stamp` is the time of `x-amz-date`.
pub fn sign(
    received: &Received<'_>,
    (key_id, secret): (&str, &str),
    region: &str,
    stamp: &str,
) -> Authorization {
    let mut names: Vec<String> = received.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let mut authorization = Authorization {
        key_id: key_id.to_owned(),
        date: stamp.chars().take(8).collect(),
        region: region.to_owned(),
        service: "execute-api".to_owned(),
        signed_headers: names,
        signature: Vec::new(),
    };
    let query = canonical_queries(received.query);
    let query = query.first().map_or("", String::as_str);
    let signature = payload(received).and_then(|payload| {
        let request = authorization.canonical_request(received, query, &payload);
        authorization.signature(&request, stamp, &authorization.signing_key(secret)?)
    });
    // A key of any length is good for this.
    let mac = signature.map(|mac| mac.finalize().into_bytes().to_vec());
    authorization.signature = mac.unwrap_or_default();
    authorization
}

/// What the canonical request says of the body.
fn payload(received: &Received<'_>) -> Result<String, Refusal> {
    let actual = hex(&Sha256::digest(received.body));
    let Some(said) = received.headers.get("x-amz-content-sha256") else {
        return Ok(actual);
    };
    match said.to_str() {
        Ok(UNSIGNED) => Ok(UNSIGNED.to_owned()),
        Ok(said) if said == actual => Ok(actual),
        _ => Err(Refusal::OtherBody),
    }
}

/// The path without detours, encoded once more than it was sent.
pub fn canonical_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut out = String::new();
    for segment in &kept {
        out.push('/');
        out.extend(utf8_percent_encode(segment, RESERVED));
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// The query, sorted. Signers differ in how they take what the address holds: decoded and encoded again,
/// with a plus as itself or as a blank, or as it is. All of these are the same query to this server.
pub fn canonical_queries(query: &str) -> Vec<String> {
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&decoded, RESERVED).to_string()
    };
    let blank = |text: &str| encode(&text.replace('+', " "));
    let as_is = |text: &str| text.to_owned();
    let mut forms: Vec<String> = Vec::new();
    let ways: [&dyn Fn(&str) -> String; 3] = [&encode, &blank, &as_is];
    for way in ways {
        let parts = query.split('&').filter(|part| !part.is_empty());
        let mut pairs: Vec<(String, String)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (way(name), way(value)))
            .collect();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let form = pairs.join("&");
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// A key of any length is good for this, so no request comes to the refusal.
fn keyed(key: &[u8], text: &str) -> Result<HmacSha256, Refusal> {
    let mut mac = HmacSha256::new_from_slice(key).map_err(|_| Refusal::Malformed)?;
    mac.update(text.as_bytes());
    Ok(mac)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    // Of AWS's test suite for Signature Version 4.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW: &str = "2015-08-30T12:36:00Z";

    fn headers(more: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let given = [
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        for (name, value) in given.iter().chain(more) {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn authorization(signed: &str, signature: &str) -> Authorization {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        Authorization::parse(&header).unwrap()
    }

    fn verified(
        authorization: &Authorization,
        (method, path, query): (&str, &str, &str),
        headers: &HeaderMap,
        body: &str,
        now: &str,
    ) -> Result<(), Refusal> {
        let received = Received {
            method: &method.parse().unwrap(),
            path,
            query,
            headers,
            body: body.as_bytes(),
        };
        authorization.verify(&received, SECRET, now.parse().unwrap())
    }

    #[test]
    fn the_test_suite_of_aws_verifies() {
        for (request, signature) in [
            (
                ("GET", "/", ""),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                ("POST", "/", ""),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                ("GET", "/", "Param2=value2&Param1=value1"),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                (
                    "GET",
                    "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                    "",
                ),
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
        ] {
            let signed = authorization("host;x-amz-date", signature);
            let result = verified(&signed, request, &headers(&[]), "", NOW);
            assert_eq!(result, Ok(()), "{request:?}");
            let other = match request.0 {
                "GET" => "POST",
                _ => "GET",
            };
            let other = (other, request.1, request.2);
            let result = verified(&signed, other, &headers(&[]), "", NOW);
            assert_eq!(result, Err(Refusal::Mismatch));
        }
    }

    #[test]
    fn what_is_missing_or_late_is_refused() {
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let signed = authorization("host;x-amz-date", vanilla);
        let root = ("GET", "/", "");
        let plain = headers(&[]);
        let at = |now| verified(&signed, root, &plain, "", now);
        assert_eq!(at("2015-08-30T12:51:00Z"), Ok(()));
        assert_eq!(at("2015-08-30T12:21:00Z"), Ok(()));
        assert_eq!(at("2015-08-30T12:51:01Z"), Err(Refusal::Expired));
        assert_eq!(at("2015-08-30T12:20:59Z"), Err(Refusal::Expired));

        let with = |more: &[(&str, &str)]| verified(&signed, root, &headers(more), "", NOW);
        assert_eq!(with(&[("x-amz-target", "a")]), Err(Refusal::Unsigned));
        assert_eq!(with(&[("user-agent", "a")]), Ok(()));
        assert_eq!(
            verified(&signed, root, &plain, "{}", NOW),
            Err(Refusal::Mismatch)
        );
        assert_eq!(
            verified(&authorization("x-amz-date", vanilla), root, &plain, "", NOW),
            Err(Refusal::Unsigned)
        );
        let mut undated = plain.clone();
        undated.insert("x-amz-date", "20150831T000000Z".parse().unwrap());
        assert_eq!(
            verified(&signed, root, &undated, "", NOW),
            Err(Refusal::Undated)
        );
        let hashed = authorization("host;x-amz-content-sha256;x-amz-date", vanilla);
        let hash = headers(&[("x-amz-content-sha256", &"0".repeat(64))]);
        assert_eq!(
            verified(&hashed, root, &hash, "", NOW),
            Err(Refusal::OtherBody)
        );
    }

    #[test]
    fn other_headers_are_malformed() {
        let end = "SignedHeaders=host, Signature=00";
        for header in [
            "Bearer abc",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
            &format!("AWS4-HMAC-SHA256 Credential=a/b/c/d, {end}"),
            &format!("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, {end}"),
            &format!(
                "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature={}",
                "é".repeat(32)
            ),
        ] {
            assert_eq!(
                Authorization::parse(header),
                Err(Refusal::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn paths_are_encoded_twice_and_queries_sorted() {
        assert_eq!(
            canonical_path("/a%20b/../c//d%2Fe/./f:g/"),
            "/c/d%252Fe/f%3Ag/"
        );
        assert_eq!(canonical_path("//"), "/");
        assert_eq!(
            canonical_queries("b=2&a=x%20y&a=1+z"),
            [
                "a=1%2Bz&a=x%20y&b=2",
                "a=1%20z&a=x%20y&b=2",
                "a=1+z&a=x%20y&b=2"
            ]
        );
        assert_eq!(canonical_queries(""), [""]);
    }
}
