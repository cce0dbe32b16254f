//! What people say of an event while it runs, kept as the lines that `matchcut run --feedback` reads: whatever was taken
//! is heard once, also by an event that waits, or goes on later.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use matchcut_dataflow::run::log::STORE_DIR;
use matchcut_model::lines::{Told, parse_told};
use matchcut_model::value::Name;
use matchcut_sinks::files::present;
use serde_json::{Map, Value, json};

/// Replays by their names, as they were last asked for.
pub type Replays = BTreeMap<Name, Option<Map<String, Value>>>;

/// One writer at a time, so that lines stay whole.
static WRITING: Mutex<()> = Mutex::new(());

/// Where what is said of an event lies; `dir` is its directory.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(STORE_DIR).join("said.jsonl")
}

/// Makes the file where there is none.
pub fn prepare(dir: &Path) -> io::Result<()> {
    append(dir, b"")
}

/// Appends whole lines; when this returns they are on the disk.
pub fn append(dir: &Path, lines: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = path(dir);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).open(path)?;
    if lines.is_empty() {
        return Ok(());
    }
    let mut text = Vec::with_capacity(lines.len() + 2);
    // A line that a crash has cut short stays apart from what follows.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(lines);
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    file.write_all(&text)?;
    file.sync_data()
}

/// How much was said, in bytes.
pub fn length(dir: &Path) -> u64 {
    fs::metadata(path(dir)).map_or(0, |found| found.len())
}

/// What was said of replays: the table by which each was last asked for, nothing where it was taken back since.
pub fn replays(dir: &Path) -> io::Result<Replays> {
    let text = present(fs::read(path(dir)))?.unwrap_or_default();
    let mut replays = Replays::new();
    for line in text.split(|byte| *byte == b'\n') {
        match parse_told(line) {
            Ok(Some(Told::Asked(name, table))) => drop(replays.insert(name, Some(table))),
            Ok(Some(Told::Withdrawn(name))) => drop(replays.insert(name, None)),
            _ => {}
        }
    }
    Ok(replays)
}

/// The names of replays that are asked for beside a spec.
pub fn asked(dir: &Path) -> io::Result<Vec<String>> {
    let all = replays(dir)?.into_iter();
    let there = all.filter_map(|(name, table)| table.map(|_| name.to_string()));
    Ok(there.collect())
}

/// The line that asks for a replay; without a table the one that takes it back.
pub fn replay_line(name: &str, table: Option<&Map<String, Value>>) -> String {
    let line = match table {
        Some(table) => json!({ "replay": name, "ask": table }),
        None => json!({ "replay": name, "retract": true }),
    };
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole() {
        let dir = tempfile::tempdir().unwrap();
        let read = || fs::read_to_string(path(dir.path())).unwrap();
        prepare(dir.path()).unwrap();
        assert_eq!(read(), "");
        append(dir.path(), b"a").unwrap();
        append(dir.path(), b"b\nc\n").unwrap();
        assert_eq!(read(), "a\nb\nc\n");
        fs::write(path(dir.path()), "a\nhal").unwrap();
        append(dir.path(), b"b").unwrap();
        assert_eq!(read(), "a\nhal\nb\n");
        assert_eq!(length(dir.path()), 8);
    }

    #[test]
    fn the_last_word_on_a_replay_stands() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(replays(dir.path()).unwrap(), Replays::new());
        let table = |duration: u64| Map::from_iter([("duration".to_owned(), json!(duration))]);
        let say = |name: &str, table: Option<&Map<String, Value>>| {
            append(dir.path(), replay_line(name, table).as_bytes()).unwrap();
        };
        say("late", Some(&table(60)));
        say("other", Some(&table(9)));
        say("late", Some(&table(30)));
        say("other", None);
        append(dir.path(), b"{\"start\":3,\"feedback\":\"like\"}").unwrap();
        let expected = [
            (Name::new("late"), Some(table(30))),
            (Name::new("other"), None),
        ];
        assert_eq!(replays(dir.path()).unwrap(), Replays::from(expected));
    }
}
