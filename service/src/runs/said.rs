//! What people say of an event while it runs, kept as the lines that `matchcut run --feedback` reads: whatever was taken
//! is heard once, also by an event that waits, or goes on later.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_dataflow::run::log::STORE_DIR;
use matchcut_model::lines::{Told, parse_told};
use matchcut_model::value::Name;
use matchcut_sinks::files::present;
use serde_json::{Map, Value, json};

/// Replays by their names, as they were last asked for.
pub type Replays = BTreeMap<Name, Option<Map<String, Value>>>;

/// What was said of so many events is kept; whoever asks often is soon back.
const KEPT: usize = 256;

/// What was said of replays, kept so that whoever asks again costs only what was said since.
#[derive(Default)]
pub struct Heard(Mutex<HashMap<i64, Kept>>);

/// What was said up to a place in a file.
#[derive(Clone, Default)]
struct Kept {
    offset: u64,
    replays: Arc<Replays>,
}

impl Heard {
    /// What was said of the replays of an event, whose number tells it from all that were called the same: the table by
    /// which each was last asked for, nothing where it was taken back since.
    pub fn replays(&self, number: i64, dir: &Path) -> io::Result<Arc<Replays>> {
        let all = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = all().get(&number).cloned().unwrap_or_default();
        let Some(mut file) = present(File::open(path(dir)))? else {
            return Ok(Arc::default());
        };
        let length = file.metadata()?.len();
        if length == kept.offset {
            return Ok(kept.replays);
        }
        if length < kept.offset {
            kept = Kept::default();
        }
        file.seek(SeekFrom::Start(kept.offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // The last line may still be written.
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |last| last + 1);
        take_in(&text[..whole], &mut kept.replays);
        kept.offset += whole as u64;
        let replays = Arc::clone(&kept.replays);
        let mut all = all();
        if all.len() >= KEPT && !all.contains_key(&number) {
            all.clear();
        }
        all.insert(number, kept);
        Ok(replays)
    }
}

/// Takes in lines.
fn take_in(text: &[u8], replays: &mut Arc<Replays>) {
    for line in text.split(|byte| *byte == b'\n') {
        match parse_told(line) {
            Ok(Some(Told::Asked(name, table))) => {
                Arc::make_mut(replays).insert(name, Some(table));
            }
            Ok(Some(Told::Withdrawn(name))) => {
                Arc::make_mut(replays).insert(name, None);
            }
            _ => {}
        }
    }
}

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

/// What was said of replays.
fn replays(dir: &Path) -> io::Result<Arc<Replays>> {
    let text = present(fs::read(path(dir)))?.unwrap_or_default();
    let mut replays = Arc::default();
    take_in(&text, &mut replays);
    Ok(replays)
}

/// The names of replays that are asked for beside a spec.
pub fn asked(dir: &Path) -> io::Result<Vec<String>> {
    let all = replays(dir)?;
    let there = all.iter().filter(|(_, table)| table.is_some());
    let there = there.map(|(name, _)| name.to_string());
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
        let heard = Heard::default();
        let now = || heard.replays(7, dir.path()).unwrap();
        let both = || {
            assert_eq!(now(), replays(dir.path()).unwrap());
            Replays::clone(&now())
        };
        assert_eq!(both(), Replays::new());
        let table = |duration: u64| Map::from_iter([("duration".to_owned(), json!(duration))]);
        let say = |name: &str, table: Option<&Map<String, Value>>| {
            append(dir.path(), replay_line(name, table).as_bytes()).unwrap();
        };
        say("late", Some(&table(60)));
        let expected = [(Name::new("late"), Some(table(60)))];
        assert_eq!(both(), Replays::from(expected));
        say("other", Some(&table(9)));
        say("late", Some(&table(30)));
        say("other", None);
        append(dir.path(), b"{\"start\":3,\"feedback\":\"like\"}").unwrap();
        let expected = [
            (Name::new("late"), Some(table(30))),
            (Name::new("other"), None),
        ];
        assert_eq!(both(), Replays::from(expected.clone()));
        // Half a line waits for its other half.
        let append = |text: &str| {
            let file = OpenOptions::new().append(true).open(path(dir.path()));
            file.unwrap().write_all(text.as_bytes()).unwrap();
        };
        append("{\"replay\":\"late\",");
        assert_eq!(*now(), Replays::from(expected));
        append("\"retract\":true}\n");
        let expected = [(Name::new("late"), None), (Name::new("other"), None)];
        assert_eq!(both(), Replays::from(expected));
        // Another event of the same name begins at its beginning.
        fs::write(path(dir.path()), "").unwrap();
        let other = heard.replays(8, dir.path()).unwrap();
        assert_eq!((*other).clone(), Replays::new());
    }
}
