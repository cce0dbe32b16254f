//! What changes of an event amount to, kept so that whoever asks again costs only what came since. Of each event that was
//! asked for last the rows of a kind stand here, with how far its file was read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use matchcut_sinks::files::present;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// So many are kept; what was asked for longest ago goes first.
const KEPT: usize = 256;

/// What is read of every event that runs before anybody asks.
const AHEAD: [&str; 2] = ["segment", "replay"];

/// A line of changes, of which only rows of the kind that is asked for are read further.
#[derive(Deserialize)]
struct Change<'a> {
    epoch: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    diff: i64,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// Rows that stand, and the answer that tells them, which is written once.
#[derive(Debug, Default)]
pub struct Rows {
    values: Vec<Value>,
    told: OnceLock<Bytes>,
}

impl Rows {
    /// Of these values.
    pub fn new(values: Vec<Value>) -> Rows {
        Rows {
            values,
            told: OnceLock::new(),
        }
    }

    /// `{"items": […]}`.
    pub fn told(&self) -> Bytes {
        let write = || {
            let items: Vec<String> = self.values.iter().map(Value::to_string).collect();
            Bytes::from(format!("{{\"items\":[{}]}}", items.join(",")))
        };
        self.told.get_or_init(write).clone()
    }
}

impl Deref for Rows {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values
    }
}

/// The number of an event, and a kind of rows.
type Key = (i64, String);

/// What is kept of events.
#[derive(Default)]
pub struct Folds {
    inside: Mutex<Inside>,
    files: Mutex<HashMap<PathBuf, Kept>>,
}

/// A document as it was when it was read.
struct Kept {
    changed: SystemTime,
    length: u64,
    values: Arc<Rows>,
}

#[derive(Default)]
struct Inside {
    folds: HashMap<Key, (u64, Arc<Mutex<Fold>>)>,
    asked: u64,
}

impl Folds {
    /// The rows of a kind that stand after epoch `until`, by when they start. `number` tells the event from all that
    /// were called the same.
    pub fn rows(
        &self,
        (number, kind): (i64, &str),
        path: &Path,
        until: u64,
    ) -> io::Result<Arc<Rows>> {
        let fold = self.fold((number, kind.to_owned()));
        let mut fold = fold.lock().unwrap_or_else(PoisonError::into_inner);
        fold.read(path, kind, until)?;
        Ok(fold.sorted())
    }

    /// Reads on in the changes of an event that runs, on its own thread, so that whoever asks next waits for little. Where
    /// as much is kept as may be, nothing is that nobody asked for. The last epoch is left to whoever asks: those who ask
    /// at this moment stand before it, and what was read for them does not.
    pub fn ahead(&self, number: i64, path: &Path, epoch: u64) {
        let Some(until) = epoch.checked_sub(1) else {
            return;
        };
        for kind in AHEAD {
            let Some(fold) = self.kept((number, kind.to_owned())) else {
                continue;
            };
            // Whoever reads it now does the work; nobody waits for that here.
            let Ok(mut fold) = fold.try_lock() else {
                continue;
            };
            if let Err(error) = fold.read(path, kind, until) {
                // Whoever asks is told.
                tracing::debug!(%error, kind, "changes cannot be read ahead");
            }
        }
    }

    /// A fold that is kept, or can be without another's going. Nobody has asked for it.
    fn kept(&self, key: Key) -> Option<Arc<Mutex<Fold>>> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fold)) = inside.folds.get(&key) {
            return Some(Arc::clone(fold));
        }
        let fold = Arc::<Mutex<Fold>>::default();
        (inside.folds.len() < KEPT).then(|| {
            inside.folds.insert(key, (0, Arc::clone(&fold)));
            fold
        })
    }

    /// The JSON values of a file that is written whole, one after the other; nothing where there is none. What was read
    /// is read again when the file is another.
    pub fn document(&self, path: &Path) -> io::Result<Option<Arc<Rows>>> {
        let Some(found) = present(fs::metadata(path))? else {
            return Ok(None);
        };
        let (changed, length) = (found.modified()?, found.len());
        let files = || self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = files().get(path)
            && (kept.changed, kept.length) == (changed, length)
        {
            return Ok(Some(Arc::clone(&kept.values)));
        }
        let Some(bytes) = present(fs::read(path))? else {
            return Ok(None);
        };
        let values = serde_json::Deserializer::from_slice(&bytes).into_iter();
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        let values = Arc::new(Rows::new(values));
        let mut files = files();
        // Whoever asks often is soon back.
        if files.len() >= KEPT {
            files.clear();
        }
        let kept = Kept {
            changed,
            length: bytes.len() as u64,
            values: Arc::clone(&values),
        };
        files.insert(path.to_owned(), kept);
        Ok(Some(values))
    }

    fn fold(&self, key: Key) -> Arc<Mutex<Fold>> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.asked += 1;
        let asked = inside.asked;
        let fold = match inside.folds.get_mut(&key) {
            Some((last, fold)) => {
                *last = asked;
                return Arc::clone(fold);
            }
            None => Arc::<Mutex<Fold>>::default(),
        };
        inside.folds.insert(key, (asked, Arc::clone(&fold)));
        if inside.folds.len() > KEPT {
            let oldest = inside.folds.iter().min_by_key(|(_, (last, _))| *last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                inside.folds.remove(&key);
            }
        }
        fold
    }
}

/// The rows of one kind up to a place in the file of an event.
#[derive(Default)]
pub struct Fold {
    /// Up to here whole lines were read.
    offset: u64,
    lines: usize,
    until: u64,
    /// By its text a row is found again; by its number the order is kept.
    rows: BTreeMap<String, (usize, Value)>,
    sorted: Option<Arc<Rows>>,
}

impl Fold {
    /// Reads on to the end of epoch `until`.
    pub fn read(&mut self, path: &Path, kind: &str, until: u64) -> io::Result<()> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *self = Fold::default();
                return Ok(());
            }
            file => file?,
        };
        // What is read stands; only an event that was taken up anew stands elsewhere for a moment.
        if until < self.until || file.metadata()?.len() < self.offset {
            *self = Fold::default();
        }
        self.until = until;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = file.read_until(b'\n', &mut line)?;
            // The last line may still be written.
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            let change: Change<'_> = serde_json::from_slice(&line)?;
            if change.epoch > until {
                return Ok(());
            }
            self.offset += length as u64;
            self.lines += 1;
            if change.kind != kind {
                continue;
            }
            self.sorted = None;
            let text = change.value.get();
            match change.diff > 0 {
                true => {
                    let value = serde_json::from_str(text)?;
                    self.rows.insert(text.to_owned(), (self.lines, value));
                }
                false => drop(self.rows.remove(text)),
            }
        }
    }

    /// The rows, by when they start.
    pub fn sorted(&mut self) -> Arc<Rows> {
        if let Some(sorted) = &self.sorted {
            return Arc::clone(sorted);
        }
        let mut rows: Vec<&(usize, Value)> = self.rows.values().collect();
        let start = |row: &Value| row["start"].as_f64().unwrap_or_default();
        rows.sort_by(|(a, one), (b, other)| start(one).total_cmp(&start(other)).then(a.cmp(b)));
        let sorted: Vec<Value> = rows.into_iter().map(|(_, value)| value.clone()).collect();
        let sorted = Arc::new(Rows::new(sorted));
        self.sorted = Some(Arc::clone(&sorted));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(epoch: u64, kind: &str, diff: i64, start: f64, end: Option<f64>) -> String {
        let value = json!({ "start": start, "end": end });
        json!({ "epoch": epoch, "kind": kind, "diff": diff, "value": value }).to_string() + "\n"
    }

    fn text() -> String {
        line(1, "segment", 1, 4.0, None)
            + &line(1, "clip", 1, 0.0, None)
            + &line(2, "segment", -1, 4.0, None)
            + &line(2, "segment", 1, 4.0, Some(6.2))
            + &line(3, "segment", 1, 1.0, Some(2.0))
            + &line(4, "segment", -1, 1.0, Some(2.0))
            + "{\"epoch\":4,"
    }

    #[test]
    fn what_stands_is_what_changes_amount_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        let folds = Folds::default();
        let at = |until| folds.rows((1, "segment"), &path, until).unwrap().to_vec();
        assert_eq!(at(9), Vec::<Value>::new());
        fs::write(&path, text()).unwrap();
        let four = json!({ "start": 4.0, "end": 6.2 });
        for _ in 0..2 {
            assert_eq!(at(0), Vec::<Value>::new());
            assert_eq!(at(1), [json!({ "start": 4.0, "end": null })]);
            assert_eq!(at(3), [json!({ "start": 1.0, "end": 2.0 }), four.clone()]);
            assert_eq!(at(9), std::slice::from_ref(&four));
        }
    }

    #[test]
    fn what_comes_later_is_taken_in_line_by_line_and_nothing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        let folds = Folds::default();
        let text =
            text() + "\"kind\":\"clip\",\"diff\":1,\"value\":1}\n" + &line(5, "clip", 1, 9.0, None);
        for end in 0..=text.len() {
            fs::write(&path, &text[..end]).unwrap();
            let mut whole = Fold::default();
            whole.read(&path, "segment", 9).unwrap();
            let now = folds.rows((1, "segment"), &path, 9).unwrap();
            assert_eq!(now[..], whole.sorted()[..], "{end}");
        }
        // Another event of the same name begins at its beginning.
        fs::write(&path, line(1, "segment", 1, 7.0, None)).unwrap();
        let other = folds.rows((2, "segment"), &path, 9).unwrap();
        assert_eq!(other.to_vec(), [json!({ "start": 7.0, "end": null })]);
    }

    #[test]
    fn a_document_is_read_again_when_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segments.jsonl");
        let folds = Folds::default();
        let now = || folds.document(&path).unwrap().map(|values| values.to_vec());
        assert_eq!(now(), None);
        fs::write(&path, "{\"a\":1}\n{\"a\":2}\n").unwrap();
        let two = Some(vec![json!({ "a": 1 }), json!({ "a": 2 })]);
        assert_eq!(now(), two);
        assert_eq!(now(), two);
        fs::write(&path, "{\n  \"a\": 3\n}\n").unwrap();
        assert_eq!(now(), Some(vec![json!({ "a": 3 })]));
        fs::write(&path, "{").unwrap();
        assert!(folds.document(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert_eq!(now(), None);
    }

    #[test]
    fn an_answer_tells_rows_as_they_are() {
        let told = |values: &[Value]| Rows::new(values.to_vec()).told();
        assert_eq!(told(&[]), r#"{"items":[]}"#);
        let values = [json!({ "a": "\"1\"" }), json!(2.5)];
        let again: Value = serde_json::from_slice(&told(&values)).unwrap();
        assert_eq!(again, json!({ "items": values }));
    }

    #[test]
    fn what_is_read_ahead_makes_room_for_what_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        fs::write(&path, text()).unwrap();
        let folds = Folds::default();
        for number in 0..KEPT as i64 {
            folds.ahead(number, &path, 4);
        }
        let lines = |number: i64| {
            let inside = folds.inside.lock().unwrap();
            let kept = inside.folds.get(&(number, "segment".to_owned()));
            kept.map(|(_, fold)| fold.lock().unwrap().lines)
        };
        assert_eq!(folds.inside.lock().unwrap().folds.len(), KEPT);
        // Five lines up to epoch 3.
        assert_eq!((lines(0), lines(KEPT as i64 - 1)), (Some(5), None));
        let asked = folds.rows((KEPT as i64, "segment"), &path, 9).unwrap();
        assert_eq!(asked.to_vec(), [json!({ "start": 4.0, "end": 6.2 })]);
        assert_eq!(folds.inside.lock().unwrap().folds.len(), KEPT);
        assert_eq!(lines(KEPT as i64), Some(6));
    }

    #[test]
    fn not_all_is_kept_for_ever() {
        let folds = Folds::default();
        for number in 0..KEPT as i64 + 20 {
            let none = Path::new("/nowhere/changes.jsonl");
            folds.rows((number, "segment"), none, 9).unwrap();
        }
        let inside = folds.inside.lock().unwrap();
        assert_eq!(inside.folds.len(), KEPT);
        assert!(!inside.folds.contains_key(&(0, "segment".to_owned())));
    }
}
