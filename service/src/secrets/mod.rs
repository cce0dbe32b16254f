//! Secrets that the service is to show to others, such as keys of APIs: kept by name and sealed, or named where they are;
//! opened only where one is needed. Nothing here prints one.

mod key;
mod reference;
mod seal;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

pub use key::{KeyError, KeySource};
pub use reference::Reference;
use seal::SealError;

use crate::config::Config;
use crate::store::{Database, StoreError, vault};

/// The longest name, and the longest secret, in bytes.
const LONGEST_NAME: usize = 512;
const LONGEST_SECRET: usize = 64 << 10;

/// Why there is no secret, or it is not kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No name.
    #[error(
        "\"{0}\" cannot be the name of a secret: 1 to {LONGEST_NAME} letters, digits and / _ + = . @ -"
    )]
    Name(String),
    /// No secret.
    #[error("a secret is a text of 1 to {LONGEST_SECRET} bytes on one line")]
    Text,
    /// There is none of this name.
    #[error("there is no secret \"{0}\"; keep it with: matchcut secret set {0}")]
    Unknown(String),
    /// It is somewhere else, and not there.
    #[error("{0}")]
    Elsewhere(String),
    /// It was sealed under another key.
    #[error("the secret \"{0}\" {1}")]
    Seal(String, SealError),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A secret. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// The secrets of a service.
#[derive(Clone)]
pub struct Secrets {
    database: Arc<Database>,
    key: KeySource,
}

impl Secrets {
    /// Those of a store, under a key.
    pub fn new(database: Arc<Database>, key: KeySource) -> Secrets {
        Secrets { database, key }
    }

    /// Those in the directory of a service, under the key that its configuration names.
    pub fn open(dir: &Path, config: &Config) -> Result<Secrets, StoreError> {
        let database = Arc::new(Database::open(dir)?);
        Ok(Secrets::new(database, config.key_source(dir)))
    }

    /// Keeps a secret under a name, in the place of one that is there. A line feed at its end is not part of it.
    pub fn set(&self, name: &str, text: &str) -> Result<(), SecretError> {
        check_name(name)?;
        let text = without_line_end(text);
        let lines = text.contains(['\n', '\r', '\0']);
        if text.is_empty() || text.len() > LONGEST_SECRET || lines {
            return Err(SecretError::Text);
        }
        let key = self.key.get_or_make()?;
        let sealed = key.seal(name, text.as_bytes());
        let sealed = sealed.map_err(|error| SecretError::Seal(name.to_owned(), error))?;
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(self
            .database
            .write(|db| vault::put(db, name, &sealed, &at))?)
    }

    /// All names, and when each was last set.
    pub fn list(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.database.read(vault::all)
    }

    /// Forgets a secret; false where there was none.
    pub fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.database.write(|db| vault::remove(db, name))
    }

    /// What a reference leads to.
    pub fn read(&self, reference: &Reference) -> Result<Secret, SecretError> {
        let text = match reference {
            Reference::Kept(names) => self.kept(names)?,
            elsewhere => elsewhere.read().map_err(SecretError::Elsewhere)?,
        };
        let text = without_line_end(&text);
        match text.is_empty() || text.contains(['\n', '\r', '\0']) {
            true => Err(SecretError::Text),
            false => Ok(Secret(text.to_owned())),
        }
    }

    /// The first that there is.
    fn kept(&self, names: &[String]) -> Result<String, SecretError> {
        let found: Option<(String, Vec<u8>)> = self.database.read(|db| {
            for name in names {
                if let Some(sealed) = vault::get(db, name)? {
                    return Ok(Some((name.clone(), sealed)));
                }
            }
            Ok::<_, StoreError>(None)
        })?;
        let Some((name, sealed)) = found else {
            let named = names.last().cloned().unwrap_or_default();
            return Err(SecretError::Unknown(named));
        };
        let opened = self.key.get()?.open(&name, &sealed);
        let opened = opened.map_err(|error| SecretError::Seal(name, error))?;
        String::from_utf8(opened).map_err(|_| SecretError::Text)
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn check_name(name: &str) -> Result<(), SecretError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter);
    match (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => Err(SecretError::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn kept(name: &str) -> Reference {
        Reference::parse(name).unwrap()
    }

    #[test]
    fn a_secret_is_kept_sealed_and_found_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path(), &Config::default()).unwrap();
        assert!(matches!(
            secrets.read(&kept("engine")),
            Err(SecretError::Unknown(name)) if name == "engine"
        ));
        let word = "a key of an API that nobody else has";
        secrets.set("engine", &format!("{word}\n")).unwrap();
        secrets.set("other", "x").unwrap();
        let names: Vec<String> = secrets.list().unwrap().into_iter().map(|it| it.0).collect();
        assert_eq!(names, ["engine", "other"]);
        let mode = |name: &str| {
            let about = fs::metadata(dir.path().join(name)).unwrap();
            about.permissions().mode() & 0o777
        };
        assert_eq!(mode("secrets.key"), 0o600);
        // Another process finds it by the same key, by all the names that it has at AWS.
        let again = Secrets::open(dir.path(), &Config::default()).unwrap();
        for name in [
            "engine",
            "secret:engine",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:engine",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:engine-AbC1d2",
        ] {
            assert_eq!(again.read(&kept(name)).unwrap().reveal(), word, "{name}");
        }
        assert_eq!(
            format!("{:?}", again.read(&kept("engine"))),
            "Ok(Secret(…))"
        );
        // It lies nowhere in the clear.
        for entry in fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
            let bytes = fs::read(entry.path()).unwrap();
            let found = bytes
                .windows(word.len())
                .any(|part| part == word.as_bytes());
            assert!(!found, "{:?}", entry.path());
        }
        assert!(again.remove("engine").unwrap() && !again.remove("engine").unwrap());
        assert!(again.read(&kept("engine")).is_err());
        for (name, text) in [
            ("", "x"),
            ("a b", "x"),
            ("a", ""),
            ("a", "x\ny"),
            ("é", "x"),
        ] {
            assert!(secrets.set(name, text).is_err(), "{name:?} {text:?}");
        }
    }

    #[test]
    fn another_key_and_another_name_open_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let database = Arc::new(Database::open(dir.path()).unwrap());
        let under = |letter: &str| {
            let key = KeySource::Given(letter.repeat(40));
            Secrets::new(Arc::clone(&database), key)
        };
        under("a").set("one", "1").unwrap();
        under("a").set("two", "2").unwrap();
        assert_eq!(under("a").read(&kept("one")).unwrap().reveal(), "1");
        let refused = under("b").read(&kept("one")).unwrap_err().to_string();
        assert!(refused.contains("sealed under another key"), "{refused}");
        let swapped: Result<(), StoreError> = database.write(|db| {
            let sealed = vault::get(db, "one")?.unwrap();
            vault::put(db, "two", &sealed, "")
        });
        swapped.unwrap();
        assert!(under("a").read(&kept("two")).is_err());
        assert!(!dir.path().join("secrets.key").exists());
    }

    #[test]
    fn without_its_key_a_secret_is_told_to_be_lost() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path(), &Config::default()).unwrap();
        secrets.set("one", "1").unwrap();
        fs::remove_file(dir.path().join("secrets.key")).unwrap();
        let lost = secrets.read(&kept("one")).unwrap_err().to_string();
        assert!(
            lost.contains("secrets.key") && lost.contains("is not there"),
            "{lost}"
        );
    }
}
