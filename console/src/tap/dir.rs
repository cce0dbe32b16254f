//! Follows a run by the files in its directory, as they grow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use matchcut_dataflow::run::log::{Lock, STORE_DIR};

use super::line::{Kind, Line};
use super::names::{Names, Part};
use super::{CHANGES, How, LOG, TapError, Told};

/// How often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(100);

/// How often is looked whether the run still runs, in looks.
const EVERY: u32 = 5;

/// Tells of the wanted edges of a run.
pub fn of_dir(
    dir: &Path,
    written: &[String],
    how: How,
    told: &mut dyn Told,
) -> Result<(), TapError> {
    let names = Names::new(written)?;
    let mut tails = [LOG, CHANGES].map(|name| Tail::new(dir.join(format!("{name}.jsonl"))));
    let runs = || Lock::is_held(&dir.join(STORE_DIR));
    let mut running = runs();
    if !running && tails.iter().all(|tail| !tail.path.exists()) {
        return Err(TapError::NoEvent(dir.to_owned()));
    }
    let mut parts = BTreeSet::new();
    let mut before = read_all(&mut tails, told)?;
    for (line, _) in before.values().flatten() {
        parts.extend(part_of(line));
    }
    // Who runs may still say something of any name.
    let known: Vec<Part> = parts.into_iter().collect();
    for error in names.unknown(&known) {
        match (running, error) {
            (true, TapError::Name { message, hint }) => {
                let hint = hint.unwrap_or_default();
                told.note(&format!("{message} that has said anything yet; {hint}"));
            }
            (_, error) => return Err(error),
        }
    }
    if running && how.follow && !how.from_start {
        before.clear();
    }
    tell(&before, &names, told)?;
    let mut looks: u32 = 0;
    while running && how.follow {
        thread::sleep(LOOK);
        looks = looks.wrapping_add(1);
        // What was written until it ended is read after that was seen.
        if looks.is_multiple_of(EVERY) {
            running = runs();
        }
        let lines = read_all(&mut tails, told)?;
        tell(&lines, &names, told)?;
    }
    Ok(())
}

/// Lines by epoch: what it follows from stands before what becomes of it.
type Epochs = BTreeMap<u64, Vec<(Line, String)>>;

fn read_all(tails: &mut [Tail], told: &mut dyn Told) -> Result<Epochs, TapError> {
    let mut epochs = Epochs::new();
    for tail in tails {
        let read = tail.read().map_err(|source| TapError::Read {
            path: tail.path.clone(),
            source,
        })?;
        if read.anew {
            told.note(&format!("{} was begun anew", tail.path.display()));
        }
        for text in read.lines {
            let line = Line::read(&text).map_err(|reason| TapError::Line {
                place: tail.path.display().to_string(),
                reason,
            })?;
            epochs.entry(line.epoch).or_default().push((line, text));
        }
    }
    Ok(epochs)
}

fn tell(epochs: &Epochs, names: &Names, told: &mut dyn Told) -> io::Result<()> {
    let wanted = epochs.values().flatten();
    let mut wanted = wanted.filter(|(line, _)| names.take(line)).peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    for (_, text) in wanted {
        told.line(text)?;
    }
    told.pause()
}

/// The part that a line is of, where the spec names it.
fn part_of(line: &Line) -> Option<Part> {
    let class = match line.kind {
        Kind::Observation => "featurer",
        Kind::Segment => "segmenter",
        Kind::Replay => "replay",
        _ => return None,
    };
    Some(Part {
        name: line.name()?.to_owned(),
        class: class.to_owned(),
        segmenter: None,
    })
}

/// A file that grows by whole lines.
struct Tail {
    path: PathBuf,
    offset: u64,
    /// Which file it was: another may take its place.
    file: Option<u64>,
}

struct Read {
    lines: Vec<String>,
    /// It is another file than before, or was cut.
    anew: bool,
}

impl Tail {
    fn new(path: PathBuf) -> Tail {
        Tail {
            path,
            offset: 0,
            file: None,
        }
    }

    /// The lines that have come since.
    fn read(&mut self) -> io::Result<Read> {
        let mut read = Read {
            lines: Vec::new(),
            anew: false,
        };
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(read),
            file => file?,
        };
        let about = file.metadata()?;
        let is_other = self.file.is_some_and(|before| before != about.ino());
        if is_other || about.len() < self.offset {
            read.anew = true;
            self.offset = 0;
        }
        self.file = Some(about.ino());
        file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = BufReader::new(file);
        loop {
            let mut line = String::new();
            let length = lines.read_line(&mut line)?;
            if line.pop() != Some('\n') {
                return Ok(read);
            }
            self.offset += length as u64;
            read.lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[derive(Default)]
    struct Heard {
        lines: Vec<String>,
        notes: Vec<String>,
    }

    impl Told for Heard {
        fn line(&mut self, line: &str) -> io::Result<()> {
            self.lines.push(line.to_owned());
            Ok(())
        }

        fn pause(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn note(&mut self, text: &str) {
            self.notes.push(text.to_owned());
        }
    }

    fn line(epoch: u64, kind: &str, key: &str, name: &str) -> String {
        format!(
            "{{\"epoch\":{epoch},\"kind\":\"{kind}\",\"diff\":1,\"value\":{{\"{key}\":\"{name}\"}}}}"
        )
    }

    #[test]
    fn both_files_are_told_by_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: &[&String]| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(dir.path().join(name), text).unwrap();
        };
        let how = How {
            from_start: false,
            follow: true,
        };
        let tap = |written: &[&str]| {
            let written: Vec<String> = written.iter().map(|text| (*text).to_owned()).collect();
            let mut heard = Heard::default();
            of_dir(dir.path(), &written, how, &mut heard).map(|()| heard.lines)
        };
        assert!(matches!(tap(&["cuts"]), Err(TapError::NoEvent(_))));
        let cut = |epoch| line(epoch, "observation", "operator", "cuts");
        let shot = |epoch| line(epoch, "segment", "operator", "shot");
        let best = line(2, "replay", "replay", "best");
        write("log.jsonl", &[&cut(1), &cut(2)]);
        write("changes.jsonl", &[&shot(1), &best, &shot(3)]);
        // It is over, so there is nothing but what there was.
        assert_eq!(tap(&["cuts"]).unwrap(), [cut(1), cut(2)]);
        let all = [cut(1), shot(1), cut(2), best.clone(), shot(3)];
        assert_eq!(tap(&["*"]).unwrap(), all);
        assert_eq!(tap(&["best", "sh?t"]).unwrap(), [shot(1), best, shot(3)]);
        match tap(&["cust"]) {
            Err(TapError::Name { hint, .. }) => {
                assert_eq!(hint.as_deref(), Some("did you mean \"cuts\"?"));
            }
            other => panic!("{other:?}"),
        }
        write("log.jsonl", &[&"{}".to_owned()]);
        assert!(matches!(tap(&["cuts"]), Err(TapError::Line { .. })));
    }

    #[test]
    fn what_comes_is_told_until_the_run_ends() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(&dir.path().join(STORE_DIR)).unwrap();
        let path = dir.path().join("changes.jsonl");
        let shot = |epoch| line(epoch, "segment", "operator", "shot") + "\n";
        fs::write(&path, shot(1)).unwrap();
        let follow = |from_start| {
            let dir = dir.path().to_owned();
            let how = How {
                from_start,
                follow: true,
            };
            thread::spawn(move || {
                let mut heard = Heard::default();
                of_dir(&dir, &["shto".to_owned(), "s*".to_owned()], how, &mut heard).unwrap();
                heard
            })
        };
        let (whole, later) = (follow(true), follow(false));
        thread::sleep(LOOK * 3);
        let mut file = File::options().append(true).open(&path).unwrap();
        let more = shot(2) + &shot(3);
        // Half a line is none.
        for part in [&more[..more.len() - 9], &more[more.len() - 9..]] {
            file.write_all(part.as_bytes()).unwrap();
            thread::sleep(LOOK * 3);
        }
        drop(lock);
        let (whole, later) = (whole.join().unwrap(), later.join().unwrap());
        let lines = |heard: &Heard| heard.lines.join("\n") + "\n";
        assert_eq!(lines(&whole), shot(1) + &more);
        assert_eq!(lines(&later), more);
        let note = "the event has no operator or replay \"shto\" that has said anything yet; did you mean \"shot\"?";
        assert_eq!(later.notes, [note]);
    }

    #[test]
    fn another_file_in_its_place_is_read_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        fs::write(&path, "one\ntwo\n").unwrap();
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.read().unwrap().lines, ["one", "two"]);
        fs::write(&path, "one\n").unwrap();
        let read = tail.read().unwrap();
        assert_eq!((read.lines, read.anew), (vec!["one".to_owned()], true));
    }
}
