//! What is needed to start a program, as it stands in the spec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matchcut_model::time::MediaTime;

use crate::sdk::Options;

/// How long a program may take to say what it is.
pub(super) const DESCRIBE: Duration = Duration::from_secs(10);

/// Everything that starts a program and says how it is treated.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Where it runs.
    pub(super) directory: PathBuf,
    /// Variables of its environment, beside those of the host.
    pub(super) env: BTreeMap<String, String>,
    /// Its own options.
    pub(super) options: Options,
    /// The longest segment that the pipeline allows.
    pub(super) max_segment: MediaTime,
    /// How long it is waited for, for one chunk or step.
    pub(super) timeout: Duration,
    /// How long it may take to get ready for work.
    pub(super) start_timeout: Duration,
    /// The pause before it is started again.
    pub(super) restart: Duration,
}

impl Launch {
    /// The program: one with a directory in its name is relative to where it runs, any other is looked
    /// for as a shell does.
    pub(super) fn program(&self) -> PathBuf {
        let name = self.command.first().map(String::as_str).unwrap_or_default();
        match name.contains('/') {
            true => absolute(&self.directory.join(name)),
            false => PathBuf::from(name),
        }
    }

    /// What a description depends on. A program that was changed meanwhile is another one.
    pub(super) fn key(&self) -> String {
        let changed: Vec<Option<(u64, Duration)>> = self
            .command
            .iter()
            .map(|word| {
                let found = std::fs::metadata(self.directory.join(word)).ok()?;
                let changed = found.modified().ok()?;
                let changed = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
                Some((found.len(), changed))
            })
            .collect();
        let options = serde_json::Value::Object(self.options.clone());
        format!(
            "{:?} {:?} {:?} {changed:?} {options}",
            self.command, self.directory, self.env
        )
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        let name = self.command.first().map(String::as_str).unwrap_or_default();
        let file = Path::new(name).file_name();
        file.map_or(name.to_owned(), |file| file.to_string_lossy().into_owned())
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
