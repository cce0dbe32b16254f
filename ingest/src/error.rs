//! What can go wrong between a source and its bytes; each error names the URI, says who can mend
//! it and whether trying again may help.

use matchcut_aws::AwsError;
use matchcut_model::chunk::ByteRange;
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;

use crate::playlist::PlaylistError;

/// A part of a source's configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key, or `None` when it is not about one.
    pub option: Option<String>,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// Bytes that did not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no such resource.
    #[error("{uri} does not exist{}", hint(*.status))]
    NotFound {
        /// What was asked for.
        uri: String,
        /// The answer of the server; `None` for a file.
        status: Option<u16>,
    },
    /// The server refused or failed.
    #[error("{uri}: the server answered {status}")]
    Status {
        /// What was asked for.
        uri: String,
        /// Its answer.
        status: u16,
        /// After how many seconds it wants to be asked again.
        retry_after: Option<u64>,
    },
    /// What should be a key is none.
    #[error("the key {uri} has {length} bytes; a key of AES-128 has 16")]
    Key {
        /// The key.
        uri: String,
        /// Its length.
        length: usize,
    },
    /// Its key did not come.
    #[error("{uri} cannot be decrypted: its key did not come: {error}")]
    NoKey {
        /// What was asked for.
        uri: String,
        /// Why.
        error: Box<FetchError>,
    },
    /// It cannot be decrypted.
    #[error("{uri} cannot be decrypted with the key {key}: {message}")]
    Decrypt {
        /// What was asked for.
        uri: String,
        /// The key.
        key: String,
        /// Why not.
        message: String,
    },
    /// It took too long.
    #[error("{uri} did not come within {after} s")]
    Timeout {
        /// What was asked for.
        uri: String,
        /// The limit.
        after: MediaTime,
    },
    /// The connection failed or broke.
    #[error("{uri}: {message}")]
    Transport {
        /// What was asked for.
        uri: String,
        /// What the network said.
        message: String,
    },
    /// A file could not be read.
    #[error("{uri}: {message}")]
    Io {
        /// What was asked for.
        uri: String,
        /// What the system said.
        message: String,
    },
    /// It is larger than allowed.
    #[error("{uri} is larger than {limit} bytes; raise \"max_bytes\" if it should be read")]
    TooLarge {
        /// What was asked for.
        uri: String,
        /// The limit.
        limit: u64,
    },
    /// The resource is shorter than the part that was asked for.
    #[error("{uri} has no bytes {} to {}: it has {size}", range.offset, range.offset.saturating_add(range.length))]
    Range {
        /// What was asked for.
        uri: String,
        /// Which part.
        range: ByteRange,
        /// The bytes there are.
        size: u64,
    },
    /// AWS did not give it.
    #[error("{error}")]
    Aws {
        /// What was asked for.
        uri: String,
        /// Why not.
        error: Box<AwsError>,
    },
    /// Not an address that can be fetched.
    #[error("\"{uri}\" cannot be fetched: {message}")]
    Address {
        /// What was asked for.
        uri: String,
        /// Why not.
        message: String,
    },
}

fn hint(status: Option<u16>) -> String {
    status
        .map(|status| format!(" (the server answered {status})"))
        .unwrap_or_default()
}

impl FetchError {
    /// What was asked for.
    pub fn uri(&self) -> &str {
        match self {
            FetchError::NotFound { uri, .. }
            | FetchError::Status { uri, .. }
            | FetchError::Timeout { uri, .. }
            | FetchError::Transport { uri, .. }
            | FetchError::Io { uri, .. }
            | FetchError::TooLarge { uri, .. }
            | FetchError::Range { uri, .. }
            | FetchError::Key { uri, .. }
            | FetchError::NoKey { uri, .. }
            | FetchError::Decrypt { uri, .. }
            | FetchError::Aws { uri, .. }
            | FetchError::Address { uri, .. } => uri,
        }
    }

    /// Who can mend it.
    pub fn domain(&self) -> Domain {
        match self {
            FetchError::TooLarge { .. } | FetchError::Address { .. } => Domain::User,
            FetchError::NotFound { status: None, .. } => Domain::User,
            FetchError::NoKey { error, .. } => error.domain(),
            FetchError::Aws { error, .. } => error.domain(),
            _ => Domain::External,
        }
    }

    /// Whether trying again may help.
    pub fn retry(&self) -> Retry {
        let passes = match self {
            FetchError::NoKey { error, .. } => return error.retry(),
            // Others renew credentials, and then they are read again.
            FetchError::Aws { error, .. } if error.of_credentials() => true,
            FetchError::Aws { error, .. } => return error.retry(),
            FetchError::Timeout { .. } | FetchError::Transport { .. } => true,
            FetchError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            _ => false,
        };
        if passes {
            Retry::WithBackoff
        } else {
            Retry::No
        }
    }

    /// As a row.
    pub fn failure(&self) -> Failure {
        Failure {
            position: None,
            input: self.uri().to_owned(),
            operator: None,
            message: self.to_string(),
            domain: self.domain(),
            retry: self.retry(),
        }
    }
}

/// A source that cannot go on. Everything it gave before stays valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A playlist did not come.
    #[error("source \"{name}\": {error}")]
    Fetch {
        /// The source.
        name: String,
        /// Why.
        error: FetchError,
    },
    /// A playlist cannot be used.
    #[error("source \"{name}\": {error}")]
    Playlist {
        /// The source.
        name: String,
        /// Why, with its line.
        error: PlaylistError,
    },
    /// None of the streams of a master playlist is the one that was asked for.
    #[error("source \"{name}\": {uri} has no variant \"{wanted}\"; it has {available}")]
    NoVariant {
        /// The source.
        name: String,
        /// The master playlist.
        uri: String,
        /// The option.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// There is no separate audio of that name.
    #[error(
        "source \"{name}\": {uri} has no audio \"{wanted}\" for this variant; it has {available}"
    )]
    NoAudio {
        /// The source.
        name: String,
        /// The master playlist.
        uri: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// Nothing in the playlist can be read.
    #[error("source \"{name}\": nothing in {uri} can be read: {reason}")]
    Unreadable {
        /// The source.
        name: String,
        /// The playlist or directory.
        uri: String,
        /// Why, of its first chunk.
        reason: String,
    },
    /// A live playlist stopped growing without saying that it ended.
    #[error(
        "source \"{name}\": {uri} got no new chunk for {after} s and does not say that it ended{}; \
         set \"finished_after\" if silence means the end",
        because(.last_error)
    )]
    Stale {
        /// The source.
        name: String,
        /// The playlist.
        uri: String,
        /// How long.
        after: MediaTime,
        /// Why the last attempt to load it failed, if it did.
        last_error: Option<String>,
    },
    /// A cursor of another type of source.
    #[error(
        "source \"{name}\" is of type {kind} now and was of type {cursor}: it cannot go on where it \
         stood"
    )]
    Cursor {
        /// The source.
        name: String,
        /// Its type.
        kind: &'static str,
        /// The type that the cursor is of.
        cursor: &'static str,
    },
    /// A channel of MediaLive is not ready.
    #[cfg(feature = "medialive")]
    #[error("source \"{name}\": {error}")]
    Channel {
        /// The source.
        name: String,
        /// Why not.
        error: crate::medialive::control::ControlError,
    },
    /// AWS did not say what is there.
    #[error("source \"{name}\": {error}")]
    Aws {
        /// The source.
        name: String,
        /// Why not.
        error: Box<AwsError>,
    },
    /// A directory or file that cannot be read.
    #[error("source \"{name}\": {path}: {message}")]
    Io {
        /// The source.
        name: String,
        /// Which.
        path: String,
        /// Why.
        message: String,
        /// Who can mend it.
        domain: Domain,
    },
}

fn because(last_error: &Option<String>) -> String {
    last_error
        .as_ref()
        .map(|error| format!(" (last: {error})"))
        .unwrap_or_default()
}

impl SourceError {
    /// Who can mend it.
    pub fn domain(&self) -> Domain {
        match self {
            SourceError::Fetch { error, .. } => error.domain(),
            SourceError::Playlist { .. } | SourceError::Stale { .. } => Domain::External,
            SourceError::NoVariant { .. }
            | SourceError::NoAudio { .. }
            | SourceError::Unreadable { .. }
            | SourceError::Cursor { .. } => Domain::User,
            #[cfg(feature = "medialive")]
            SourceError::Channel { .. } => Domain::User,
            SourceError::Aws { error, .. } => error.domain(),
            SourceError::Io { domain, .. } => *domain,
        }
    }

    /// Whether trying again may help.
    pub fn retry(&self) -> Retry {
        match self {
            SourceError::Fetch { error, .. } => error.retry(),
            SourceError::Aws { error, .. } => error.retry(),
            SourceError::Stale { .. } => Retry::WithBackoff,
            _ => Retry::No,
        }
    }
}
