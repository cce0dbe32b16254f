//! Addresses of objects: `s3://bucket/key`. People write keys as they are; in an address that a program
//! reads, what is special in one is escaped.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// What is escaped in a key: what means something in a URI.
const SPECIAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A bucket, and a key or the beginning of keys in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct S3Address {
    /// The bucket.
    pub bucket: String,
    /// The key, without escapes; empty for all of the bucket.
    pub key: String,
}

impl S3Address {
    /// Reads what a person writes: everything behind the bucket is the key as it stands.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (bucket, key) = halves(text)?;
        Ok(S3Address {
            bucket,
            key: key.to_owned(),
        })
    }

    /// Reads a URI, in which the key is escaped.
    pub fn of_uri(uri: &str) -> Result<Self, String> {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let (bucket, key) = halves(path)?;
        let key = percent_decode_str(key).decode_utf8();
        let key = key.map_err(|_| "its key is not UTF-8".to_owned())?;
        Ok(S3Address {
            bucket,
            key: key.into_owned(),
        })
    }

    /// The URI, in which the key is escaped.
    pub fn uri(&self) -> String {
        format!(
            "s3://{}/{}",
            self.bucket,
            utf8_percent_encode(&self.key, SPECIAL)
        )
    }

    /// The key up to its last slash, which ends it.
    pub fn folder(&self) -> &str {
        let end = self.key.rfind('/').map_or(0, |slash| slash + 1);
        &self.key[..end]
    }

    /// Another key in the same bucket.
    pub fn at(&self, key: impl Into<String>) -> Self {
        S3Address {
            bucket: self.bucket.clone(),
            key: key.into(),
        }
    }
}

/// As a person writes it.
impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn halves(text: &str) -> Result<(String, &str), String> {
    let rest = text
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("s3://"))
        .and_then(|_| text.get(5..))
        .ok_or("an address as s3://bucket/prefix/ expected")?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.is_empty() || bucket.len() > 255 || !bucket.chars().all(fits) {
        return Err(format!(
            "\"{bucket}\" is not the name of a bucket; write s3://bucket/prefix/"
        ));
    }
    Ok((bucket.to_owned(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_way_through_a_uri() {
        for key in [
            "",
            "a/b_1.ts",
            "cup #1/50%/ä?.ts",
            "a+b/c d.ts",
            "%20",
            "a//b",
        ] {
            let address = S3Address::parse(&format!("s3://my.bucket/{key}")).unwrap();
            assert_eq!(
                (address.bucket.as_str(), address.key.as_str()),
                ("my.bucket", key)
            );
            assert_eq!(S3Address::of_uri(&address.uri()).unwrap(), address);
        }
        let address = S3Address::parse("S3://b/cup #1/a b.ts").unwrap();
        assert_eq!(address.uri(), "s3://b/cup%20%231/a%20b.ts");
        assert_eq!(address.folder(), "cup #1/");
        assert_eq!(S3Address::parse("s3://b").unwrap().folder(), "");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "s3",
            "http://b/k",
            "s3:///k",
            "s3://a b/k",
            "s3://ä/k",
            "s3://user@b/k",
        ] {
            assert!(S3Address::parse(text).is_err(), "{text}");
        }
    }
}
