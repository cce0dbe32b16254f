//! Addresses that open one file, or a stream of changes, by themselves, without credentials, until they expire: for
//! players, for pages, which can give a socket no headers, for people, and for plugins that fetch their chunk. What is signed is the path and the moment; a key that only this service has
//! signs.

use axum::http::{Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::endpoint::pairs;
use crate::errors::ApiError;
use crate::store::{Database, StoreError, secrets};

/// The longest that an address opens anything, in seconds: seven days, as with S3.
pub const LONGEST: u64 = 7 * 24 * 60 * 60;

/// What an address has in its query.
const EXPIRES: &str = "expires";
const SIGNATURE: &str = "signature";

/// Below what the files of events are, and the parts of an event that addresses open.
const EVENTS: &str = "/api/v1/events/";
const PARTS: [&str; 4] = ["files", "chunks", "changes", "log"];

/// What stays as it is in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// Signs addresses, and knows those that it has signed.
pub struct Addresses {
    key: Vec<u8>,
}

impl Addresses {
    /// With the key of a store, which is made where there is none.
    pub fn open(database: &Database) -> Result<Addresses, StoreError> {
        let mut new = [0_u8; 32];
        getrandom::fill(&mut new).map_err(|error| StoreError::Io {
            path: "the random numbers of the system".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let key = database.write(|db| secrets::get_or_add(db, "addresses", &new))?;
        Ok(Addresses { key })
    }

    /// The path, not encoded, as an address that opens it until a moment, in seconds since the Unix epoch.
    pub fn sign(&self, path: &str, expires: u64) -> String {
        let signature = match self.mac(path, expires) {
            Some(mac) => URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()),
            // A key of any length does; there is no address without one.
            None => String::new(),
        };
        let path = utf8_percent_encode(path, PLAIN);
        format!("{path}?{EXPIRES}={expires}&{SIGNATURE}={signature}")
    }

    fn mac(&self, path: &str, expires: u64) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(format!("matchcut address 1\n{expires}\n").as_bytes());
        mac.update(path.as_bytes());
        Some(mac)
    }

    /// Whether a request brings an address of ours that opens what it asks for at a moment; none where it brings none.
    pub fn opens(&self, method: &Method, uri: &Uri, now: u64) -> Option<Result<(), ApiError>> {
        let rest = uri.path().strip_prefix(EVENTS)?;
        let mut parts = rest.split('/').skip(1);
        parts.next().filter(|part| PARTS.contains(part))?;
        let query = pairs(uri.query()?);
        let value = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let signature = value(SIGNATURE)?;
        let checked = || {
            if ![Method::GET, Method::HEAD].contains(method) {
                return Err(format!("An address reads, and {method} does not"));
            }
            let expires: u64 = value(EXPIRES)
                .and_then(|text| text.parse().ok())
                .ok_or("The address does not say until when it is good")?;
            let wrong =
                "The signature of the address does not match: it is of another file or time";
            let path = percent_decode_str(uri.path()).decode_utf8();
            let path = path.map_err(|_| wrong)?;
            let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| wrong)?;
            let mac = self.mac(&path, expires).ok_or(wrong)?;
            // In a time that does not depend on where they differ.
            mac.verify_slice(&signature).map_err(|_| wrong)?;
            match expires > now {
                true => Ok(()),
                false => Err("The address has expired: ask for a new one".to_owned()),
            }
        };
        Some(checked().map_err(ApiError::forbidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_one_path_for_a_while_and_for_reading() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path()).unwrap();
        let addresses = Addresses::open(&database).unwrap();
        let path = "/api/v1/events/a/files/clips/rally é_1.mp4";
        let address = addresses.sign(path, 1000);
        let asked = |address: &str, method: Method, now: u64| {
            let opened = addresses.opens(&method, &address.parse().unwrap(), now);
            opened.map(|opened| opened.map_err(|error| error.message))
        };
        let opens = |address: &str| asked(address, Method::GET, 999);
        assert_eq!(opens(&address), Some(Ok(())));
        assert_eq!(asked(&address, Method::HEAD, 0), Some(Ok(())));
        // However a client writes the same path.
        assert_eq!(opens(&address.replace('_', "%5F")), Some(Ok(())));
        let refused = |opened: Option<Result<(), String>>| opened.unwrap().unwrap_err();
        let wrong = "The signature of the address does not match: it is of another file or time";
        let expired = "The address has expired: ask for a new one";
        assert_eq!(refused(asked(&address, Method::GET, 1000)), expired);
        for other in [
            address.replace("rally", "rallx"),
            address.replace("/a/", "/b/"),
            address.replace("files", "chunks"),
            address.replace("expires=1000", "expires=2000"),
            format!("{}A", &address[..address.len() - 1]),
            format!("{address}AAAA"),
        ] {
            assert_eq!(refused(opens(&other)), wrong, "{other}");
        }
        let said = refused(asked(&address, Method::DELETE, 0));
        assert_eq!(said, "An address reads, and DELETE does not");
        let said = refused(opens(&address.replace("expires", "until")));
        assert_eq!(said, "The address does not say until when it is good");
        // Elsewhere a signature means nothing.
        let (_, query) = address.split_once('?').unwrap();
        for path in [
            "/api/v1/events/a/feedback",
            "/api/v1/events",
            "/controlplane/files",
        ] {
            assert_eq!(opens(&format!("{path}?{query}")), None);
        }
        assert_eq!(opens(address.split_once('?').unwrap().0), None);
        // The key outlives the process, and another store has another.
        let again = Addresses::open(&Database::open(dir.path()).unwrap()).unwrap();
        assert_eq!(again.sign(path, 1000), address);
        let other = tempfile::tempdir().unwrap();
        let other = Addresses::open(&Database::open(other.path()).unwrap()).unwrap();
        assert_ne!(other.sign(path, 1000), address);
    }
}
