//! What a bucket has of a directory, on a file beside it. It saves work and decides nothing: without it
//! everything is written once more, equal over equal.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What stands in the bucket under a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub size: u64,
    /// Of the file that it was made of.
    pub modified: i128,
    /// BLAKE3 of what it holds.
    pub digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// Where all of it stands.
    Place(String),
    Has(String, Entry),
    Gone(String),
}

/// What a bucket has.
pub(super) struct Record {
    path: PathBuf,
    place: String,
    file: Option<File>,
    has: BTreeMap<String, Entry>,
}

impl Record {
    /// What was recorded of this place; nothing of another one.
    pub fn open(path: &Path, place: &str) -> Self {
        let mut record = Record {
            path: path.to_owned(),
            place: place.to_owned(),
            file: None,
            has: BTreeMap::new(),
        };
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut is_here = false;
        for line in text.lines() {
            // A line that was cut off is one that says nothing.
            match serde_json::from_str(line) {
                Ok(Line::Place(other)) => {
                    is_here = other == place;
                    record.has.clear();
                }
                Ok(Line::Has(path, entry)) if is_here => drop(record.has.insert(path, entry)),
                Ok(Line::Gone(path)) => drop(record.has.remove(&path)),
                _ => {}
            }
        }
        record
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.has.get(path)
    }

    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.has.keys()
    }

    pub fn put(&mut self, path: &str, entry: Entry) -> io::Result<()> {
        self.has.insert(path.to_owned(), entry.clone());
        self.write(&Line::Has(path.to_owned(), entry))
    }

    pub fn remove(&mut self, path: &str) -> io::Result<()> {
        self.has.remove(path);
        self.write(&Line::Gone(path.to_owned()))
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        if self.file.is_none() {
            self.begin()?;
        }
        match &mut self.file {
            Some(file) => append(file, line),
            None => Ok(()),
        }
    }

    /// Writes what holds now anew: the file does not grow from run to run.
    fn begin(&mut self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let part = self.path.with_extension("part");
        let mut file = File::create(&part)?;
        append(&mut file, &Line::Place(self.place.clone()))?;
        for (path, entry) in &self.has {
            append(&mut file, &Line::Has(path.clone(), entry.clone()))?;
        }
        fs::rename(&part, &self.path)?;
        self.file = Some(file);
        Ok(())
    }
}

fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
    text.push(b'\n');
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(size: u64) -> Entry {
        Entry {
            size,
            modified: 7,
            digest: "d".to_owned(),
        }
    }

    #[test]
    fn what_was_recorded_is_known_again_also_after_a_cut_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deeper/record.jsonl");
        let mut record = Record::open(&path, "s3://a/");
        record.put("x", entry(1)).unwrap();
        record.put("y", entry(2)).unwrap();
        record.put("x", entry(3)).unwrap();
        record.remove("y").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"has\":[\"z")).unwrap();
        let mut again = Record::open(&path, "s3://a/");
        assert_eq!(again.paths().collect::<Vec<_>>(), ["x"]);
        assert_eq!(again.get("x"), Some(&entry(3)));
        again.put("z", entry(4)).unwrap();
        let paths: Vec<_> = Record::open(&path, "s3://a/").paths().cloned().collect();
        assert_eq!(paths, ["x", "z"]);
        assert_eq!(Record::open(&path, "s3://b/").paths().count(), 0);
    }
}
