//! The key under which secrets are sealed: the one that the configuration names, else one that is made beside the data
//! when the first secret is kept.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::seal::SealingKey;

/// Its file, in the directory of the service.
const FILE: &str = "secrets.key";

/// The least that a key has, in bytes.
const SHORTEST: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Secrets are kept, and what opens them is gone.
    #[error(
        "the key of the secrets, {}, is not there; put it back, or name it under [secrets] in the configuration",
        .0.display()
    )]
    Gone(PathBuf),
    /// It cannot be a key.
    #[error("the key of the secrets has less than {SHORTEST} bytes")]
    Short,
    /// It cannot be read or made.
    #[error("the key of the secrets, {path}: {source}")]
    Io {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The library refuses it.
    #[error("the key of the secrets cannot be used")]
    Unusable,
}

/// Where the key is.
#[derive(Clone)]
pub enum KeySource {
    /// It was given.
    Given(String),
    /// In this directory.
    Beside(PathBuf),
}

impl KeySource {
    /// The key.
    pub fn get(&self) -> Result<SealingKey, KeyError> {
        match self {
            KeySource::Given(text) => derive(text),
            KeySource::Beside(dir) => {
                let path = dir.join(FILE);
                derive(&read(&path)?.ok_or(KeyError::Gone(path))?)
            }
        }
    }

    /// The key; made where none is given and there is none.
    pub fn get_or_make(&self) -> Result<SealingKey, KeyError> {
        if let KeySource::Beside(dir) = self {
            let path = dir.join(FILE);
            if read(&path)?.is_none() {
                make(dir, &path).map_err(|source| KeyError::Io { path, source })?;
            }
        }
        self.get()
    }
}

fn derive(text: &str) -> Result<SealingKey, KeyError> {
    let text = text.trim();
    if text.len() < SHORTEST {
        return Err(KeyError::Short);
    }
    SealingKey::derive(text.as_bytes()).map_err(|_| KeyError::Unusable)
}

/// What is in the file, for its owner alone.
fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let found = (|| {
        let about = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            about => about?,
        };
        if about.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
        }
        fs::read_to_string(path).map(Some)
    })();
    found.map_err(|source| KeyError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Makes a key. Of two who make one at the same time, one is the first, and the other takes that.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let draft = dir.join(format!("{FILE}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{}", STANDARD.encode(random))?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(dir)?.sync_all(),
    }
}
