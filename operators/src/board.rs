//! Where events that run here and programs outside meet: an operator lays down what is to be done of a chunk and waits,
//! a program takes it, says what it found, and the operator goes on with that. Whoever serves the programs opens a desk
//! for each event; an operator of an event without one has nobody to ask.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// A result as MRE writes it.
pub type Row = Map<String, Value>;

/// Chunks that stay on the disk, and frames that are known, behind the newest.
const CHUNKS: usize = 64;

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The operator that asks, as the spec calls it.
    pub operator: String,
    /// What MRE calls it.
    pub plugin: String,
    /// Number of the chunk, from 1.
    pub chunk: u64,
    /// The audio track, for those that are asked by track.
    pub track: Option<u32>,
    /// What MRE would invoke the plugin with.
    pub payload: Value,
    /// What the plugin may ask for while it works.
    pub view: View,
}

/// What there is for a plugin at its chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The last segment that begins before the chunk.
    pub prior: Option<Row>,
    /// What the plugins that it reads have said, by their names, by time.
    pub rows: BTreeMap<String, Vec<Row>>,
    /// Segments that wait for it, by time.
    pub segments: Vec<Row>,
}

/// A task that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// By this it is finished.
    pub id: String,
    /// What MRE would invoke the plugin with.
    pub payload: Value,
}

/// Whose desk: program and event.
pub type Names<'a> = (&'a str, &'a str);

struct Laid {
    id: String,
    task: Arc<Task>,
    /// Until when somebody has it.
    taken: Option<Instant>,
    /// What was said of it, by start in milliseconds.
    saved: BTreeMap<i64, Row>,
    done: Option<Result<Vec<Row>, String>>,
}

#[derive(Default)]
struct Inner {
    laid: Vec<Laid>,
    serial: u64,
    /// By file: times of frames, on the timeline and as the stream has them.
    frames: BTreeMap<String, Vec<(f64, f64)>>,
}

struct Desk {
    id: String,
    dir: PathBuf,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, at most until `end`; false when that has passed.
    fn wait<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        end: Instant,
    ) -> (MutexGuard<'a, Inner>, bool) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (inner, false);
        }
        let waited = self.changed.wait_timeout(inner, left);
        (waited.unwrap_or_else(PoisonError::into_inner).0, true)
    }
}

type Desks = BTreeMap<(String, String), Arc<Desk>>;

static DESKS: Mutex<Desks> = Mutex::new(BTreeMap::new());

fn desks() -> MutexGuard<'static, Desks> {
    DESKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn desk((program, event): Names<'_>) -> Option<Arc<Desk>> {
    desks()
        .get(&(program.to_owned(), event.to_owned()))
        .cloned()
}

/// A desk, for as long as this is kept.
pub struct Open {
    names: (String, String),
    desk: Arc<Desk>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut desks = desks();
        if desks
            .get(&self.names)
            .is_some_and(|desk| Arc::ptr_eq(desk, &self.desk))
        {
            desks.remove(&self.names);
        }
        drop(desks);
        let mut inner = self.desk.lock();
        for laid in &mut inner.laid {
            let over = "the event stopped before it was done";
            laid.done.get_or_insert_with(|| Err(over.to_owned()));
        }
        self.desk.changed.notify_all();
    }
}

/// Opens the desk of an event: its id, and a directory for chunks. Events that run at the same time and are called the
/// same cannot be told apart; the one that began last has the desk.
pub fn open((program, event): Names<'_>, id: &str, dir: &Path) -> Open {
    let desk = Arc::new(Desk {
        id: id.to_owned(),
        dir: dir.to_owned(),
        inner: Mutex::default(),
        changed: Condvar::new(),
    });
    let names = (program.to_owned(), event.to_owned());
    desks().insert(names.clone(), Arc::clone(&desk));
    Open { names, desk }
}

/// What is said where nobody could be asked.
const NOBODY: &str = "nobody can be asked: what programs outside are to do is done where matchcut serve runs the event";

/// The id of the event that has a desk.
pub fn id(names: Names<'_>) -> Result<String, String> {
    desk(names)
        .map(|desk| desk.id.clone())
        .ok_or_else(|| NOBODY.to_owned())
}

/// Lays down a chunk for programs to fetch, with the times of its frames. The oldest make room.
pub fn lay_chunk(
    names: Names<'_>,
    file: &str,
    bytes: &[u8],
    frames: Vec<(f64, f64)>,
) -> Result<(), String> {
    let desk = desk(names).ok_or(NOBODY)?;
    let failed = |error: std::io::Error| format!("the chunk cannot be laid down: {error}");
    let path = desk.dir.join(file);
    fs::create_dir_all(&desk.dir).map_err(failed)?;
    if fs::metadata(&path).ok().map(|found| found.len()) != Some(bytes.len() as u64) {
        // Several operators may lay down the same chunk at once.
        let serial = {
            let mut inner = desk.lock();
            inner.serial += 1;
            inner.serial
        };
        let part = desk.dir.join(format!(".{file}.{serial}"));
        fs::write(&part, bytes).map_err(failed)?;
        fs::rename(&part, &path).map_err(failed)?;
    }
    let mut inner = desk.lock();
    inner.frames.insert(file.to_owned(), frames);
    while inner.frames.len() > CHUNKS {
        // Names count up with chunks.
        if let Some((oldest, _)) = inner.frames.pop_first() {
            let _ = fs::remove_file(desk.dir.join(oldest));
        }
    }
    Ok(())
}

/// When a frame of a chunk is shown, counted from 0: on the timeline, and as the stream has it.
pub fn frame(names: Names<'_>, file: &str, number: usize) -> Option<(f64, f64)> {
    desk(names)?.lock().frames.get(file)?.get(number).copied()
}

/// Lays down a task and waits for what is said of it. What was saved until the time is over is what was said; where
/// nothing was, the task failed.
pub fn ask(names: Names<'_>, task: Task, patience: Duration) -> Result<Vec<Row>, String> {
    let laid = lay(names, task, false)?;
    let end = Instant::now() + patience;
    let mut inner = laid.desk.lock();
    loop {
        if let Some(done) = laid.take_done(&mut inner) {
            return done;
        }
        let (again, more) = laid.desk.wait(inner, end);
        inner = again;
        if !more {
            let (saved, taken) = laid.take_saved(&mut inner);
            return match saved.is_empty() {
                false => Ok(saved),
                true => Err(format!(
                    "nothing was said of it within {} s: {}",
                    patience.as_secs_f64(),
                    match taken {
                        true => "a program has taken the work and not finished it",
                        false => "no program has taken the work",
                    }
                )),
            };
        }
    }
}

/// Lays down a task that somebody is asked about directly: it is only there for what they want to know and to save.
pub fn beside<T>(
    names: Names<'_>,
    task: Task,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<(T, Vec<Row>), String> {
    let laid = lay(names, task, true)?;
    let done = work();
    let (saved, _) = laid.take_saved(&mut laid.desk.lock());
    Ok((done?, saved))
}

struct Place {
    desk: Arc<Desk>,
    id: String,
}

fn lay(names: Names<'_>, task: Task, taken: bool) -> Result<Place, String> {
    let desk = desk(names).ok_or(NOBODY)?;
    let mut inner = desk.lock();
    inner.serial += 1;
    let track = task
        .track
        .map_or_else(String::new, |track| format!("-{track}"));
    let id = format!("{}-{}{track}-{}", task.operator, task.chunk, inner.serial);
    // What is asked directly is never handed out.
    let never = Duration::from_secs(100 * 24 * 60 * 60);
    inner.laid.push(Laid {
        id: id.clone(),
        task: Arc::new(task),
        taken: taken.then(|| Instant::now() + never),
        saved: BTreeMap::new(),
        done: None,
    });
    drop(inner);
    desk.changed.notify_all();
    Ok(Place { desk, id })
}

impl Place {
    fn take_done(&self, inner: &mut Inner) -> Option<Result<Vec<Row>, String>> {
        let at = inner
            .laid
            .iter()
            .position(|laid| laid.id == self.id && laid.done.is_some())?;
        inner.laid.remove(at).done
    }

    fn take_saved(&self, inner: &mut Inner) -> (Vec<Row>, bool) {
        let at = inner.laid.iter().position(|laid| laid.id == self.id);
        match at.map(|at| inner.laid.remove(at)) {
            Some(laid) => (laid.saved.into_values().collect(), laid.taken.is_some()),
            None => (Vec::new(), false),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.take_saved(&mut self.desk.lock());
    }
}

/// Takes what has waited longest: of an operator, or of any. Waits for something at most so long. Nobody else gets it
/// for the time of the `lease`.
pub fn take(
    names: Names<'_>,
    operator: Option<&str>,
    wait: Duration,
    lease: Duration,
) -> Option<Taken> {
    let desk = desk(names)?;
    let end = Instant::now() + wait;
    let wanted = |laid: &Laid| {
        let task = &laid.task;
        let is = |name: &str| task.operator == name || task.plugin == name;
        laid.done.is_none() && operator.is_none_or(is)
    };
    let mut inner = desk.lock();
    loop {
        let now = Instant::now();
        let free = inner
            .laid
            .iter_mut()
            .find(|laid| wanted(laid) && laid.taken.is_none_or(|until| until <= now));
        if let Some(laid) = free {
            laid.taken = Some(now + lease);
            return Some(Taken {
                id: laid.id.clone(),
                payload: laid.task.payload.clone(),
            });
        }
        // A lease that ends meanwhile is news, too.
        let leases = inner.laid.iter().filter(|laid| wanted(laid));
        let first = leases.filter_map(|laid| laid.taken).min();
        let until = first.map_or(end, |first| first.min(end));
        let (again, more) = desk.wait(inner, until);
        inner = again;
        if !more && Instant::now() >= end {
            return None;
        }
    }
}

/// Whose task: its plugin, the number of its chunk, and its track where it has one.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    /// What MRE calls the operator.
    pub plugin: &'a str,
    /// Number of the chunk.
    pub chunk: u64,
    /// Track, where it is known.
    pub track: Option<u32>,
}

impl Which<'_> {
    fn is(&self, task: &Task) -> bool {
        task.plugin == self.plugin
            && task.chunk == self.chunk
            && (task.track == self.track || self.track.is_none() || task.track.is_none())
    }
}

/// What there is for a plugin that works on a chunk now.
pub fn view(names: Names<'_>, which: Which<'_>) -> Option<View> {
    let desk = desk(names)?;
    let inner = desk.lock();
    let laid = inner.laid.iter().find(|laid| which.is(&laid.task))?;
    Some(laid.task.view.clone())
}

/// What there is for a plugin of a class that works on a chunk now.
pub fn view_for(names: Names<'_>, chunk: u64, class: &str, track: Option<u32>) -> Option<View> {
    let desk = desk(names)?;
    let inner = desk.lock();
    let laid = inner.laid.iter().find(|laid| {
        let task = &laid.task;
        let own = task
            .payload
            .pointer("/Plugin/Class")
            .and_then(Value::as_str);
        task.chunk == chunk
            && own == Some(class)
            && (task.track == track || track.is_none() || task.track.is_none())
    })?;
    Some(laid.task.view.clone())
}

/// What a plugin has said, as far as one that reads it and works on a chunk now may know it.
pub fn dependent_rows(names: Names<'_>, chunk: u64, plugin: &str) -> Option<Vec<Row>> {
    let desk = desk(names)?;
    let inner = desk.lock();
    let mut reads = inner.laid.iter().filter(|laid| laid.task.chunk == chunk);
    reads.find_map(|laid| laid.task.view.rows.get(plugin).cloned())
}

/// Saves what a plugin says of a chunk that it works on; false where it works on none such. The same start again
/// replaces what was said of it.
pub fn save(names: Names<'_>, which: Which<'_>, rows: &[Row]) -> bool {
    let Some(desk) = desk(names) else {
        return false;
    };
    let mut inner = desk.lock();
    let found = inner
        .laid
        .iter_mut()
        .find(|laid| laid.done.is_none() && which.is(&laid.task));
    let Some(laid) = found else {
        return false;
    };
    for row in rows {
        let start = row.get("Start").and_then(Value::as_f64).unwrap_or_default();
        laid.saved.insert(millis(start), row.clone());
    }
    true
}

/// The operator of a task that is laid down.
pub fn operator(names: Names<'_>, id: &str) -> Option<String> {
    let desk = desk(names)?;
    let inner = desk.lock();
    let laid = inner.laid.iter().find(|laid| laid.id == id)?;
    Some(laid.task.operator.clone())
}

/// Finishes a task with what it returned, where nothing was saved of it; or says why it failed. False where it is not
/// there any more.
pub fn finish(names: Names<'_>, id: &str, returned: Result<Vec<Row>, String>) -> bool {
    finish_where(names, returned, |laid| laid.id == id)
}

/// The same by what it is about.
pub fn finish_of(names: Names<'_>, which: Which<'_>, returned: Result<Vec<Row>, String>) -> bool {
    finish_where(names, returned, |laid| which.is(&laid.task))
}

fn finish_where(
    names: Names<'_>,
    returned: Result<Vec<Row>, String>,
    is: impl Fn(&Laid) -> bool,
) -> bool {
    let Some(desk) = desk(names) else {
        return false;
    };
    let mut inner = desk.lock();
    let found = inner
        .laid
        .iter_mut()
        .find(|laid| laid.done.is_none() && is(laid));
    let Some(laid) = found else {
        return false;
    };
    let saved = std::mem::take(&mut laid.saved);
    laid.done = Some(match (returned, saved.is_empty()) {
        (Ok(_), false) => Ok(saved.into_values().collect()),
        (returned, _) => returned,
    });
    drop(inner);
    desk.changed.notify_all();
    true
}

/// Seconds as the milliseconds by which MRE knows a result again.
#[must_use]
pub fn millis(seconds: f64) -> i64 {
    // Rounded into what an integer holds.
    (seconds * 1000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::thread;

    fn task(operator: &str, chunk: u64) -> Task {
        Task {
            operator: operator.to_owned(),
            plugin: format!("Plugin {operator}"),
            chunk,
            payload: json!({ "chunk": chunk }),
            ..Task::default()
        }
    }

    fn rows(value: Value) -> Vec<Row> {
        serde_json::from_value(value).unwrap()
    }

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn what_is_laid_down_is_taken_once_and_answered() {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Board", "Answered");
        let open = open(names, "e1", dir.path());
        assert_eq!(id(names).as_deref(), Ok("e1"));
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask(names, task("a", 3), LONG));
            let taken = take(names, Some("a"), LONG, LONG).unwrap();
            assert_eq!(taken.payload, json!({ "chunk": 3 }));
            assert_eq!(take(names, None, SHORT, LONG), None, "somebody has it");
            let which = |chunk| Which {
                plugin: "Plugin a",
                chunk,
                track: None,
            };
            assert!(view(names, which(3)).is_some() && view(names, which(4)).is_none());
            assert!(!save(names, which(4), &rows(json!([{ "Start": 1.0 }]))));
            for said in [
                json!([{ "Start": 1.0, "x": 1 }, { "Start": 0.5 }]),
                json!([{ "Start": 1.0, "x": 2 }]),
            ] {
                assert!(save(names, which(3), &rows(said)));
            }
            assert!(finish(
                names,
                &taken.id,
                Ok(rows(json!([{ "Start": 9.0 }])))
            ));
            let said = asked.join().unwrap().unwrap();
            assert_eq!(
                said,
                rows(json!([{ "Start": 0.5 }, { "Start": 1.0, "x": 2 }]))
            );
            assert!(!finish(names, &taken.id, Ok(Vec::new())), "it is over");
        });
        drop(open);
        assert!(id(names).is_err());
        assert!(
            ask(names, task("a", 1), LONG)
                .unwrap_err()
                .starts_with("nobody can be asked")
        );
    }

    #[test]
    fn a_lease_that_is_over_and_a_time_that_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Board", "Late");
        let open = open(names, "e2", dir.path());
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask(names, task("a", 1), LONG));
            let first = take(names, None, LONG, SHORT).unwrap();
            let again = take(names, None, LONG, LONG).unwrap();
            assert_eq!(first, again);
            assert!(finish(names, &again.id, Err("it broke".to_owned())));
            assert_eq!(asked.join().unwrap(), Err("it broke".to_owned()));
        });
        let told = ask(names, task("a", 1), SHORT).unwrap_err();
        assert_eq!(
            told,
            "nothing was said of it within 0.05 s: no program has taken the work"
        );
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask(names, task("a", 7), Duration::from_millis(300)));
            assert!(take(names, None, LONG, LONG).is_some());
            let which = Which {
                plugin: "Plugin a",
                chunk: 7,
                track: Some(2),
            };
            assert!(save(names, which, &rows(json!([{ "Start": 2.5 }]))));
            // What was saved counts, also where nobody says that it is all.
            assert_eq!(asked.join().unwrap(), Ok(rows(json!([{ "Start": 2.5 }]))));
        });
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask(names, task("a", 8), LONG));
            assert!(take(names, None, LONG, LONG).is_some());
            drop(open);
            let told = asked.join().unwrap().unwrap_err();
            assert_eq!(told, "the event stopped before it was done");
        });
    }

    #[test]
    fn who_is_asked_directly_finds_a_view_and_may_save() {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Board", "Beside");
        let _open = open(names, "e3", dir.path());
        let which = Which {
            plugin: "Plugin f",
            chunk: 2,
            track: None,
        };
        let done = beside(names, task("f", 2), || {
            assert_eq!(take(names, None, SHORT, LONG), None);
            assert!(save(names, which, &rows(json!([{ "Start": 1.5 }]))));
            Ok(4)
        });
        assert_eq!(done, Ok((4, rows(json!([{ "Start": 1.5 }])))));
        assert!(view(names, which).is_none());
    }

    #[test]
    fn a_chunk_may_be_laid_down_by_many_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Board", "Many");
        let _open = open(names, "e5", dir.path());
        for number in 1..=20 {
            let file = format!("chunk_{number:05}.ts");
            thread::scope(|scope| {
                let lay = || lay_chunk(names, &file, &[7; 100_000], Vec::new());
                let all: Vec<_> = (0..8).map(|_| scope.spawn(lay)).collect();
                for one in all {
                    one.join().unwrap().unwrap();
                }
            });
            assert_eq!(fs::read(dir.path().join(&file)).unwrap(), [7; 100_000]);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 20);
    }

    #[test]
    fn chunks_lie_there_until_others_need_the_room() {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Board", "Chunks");
        let _open = open(names, "e4", &dir.path().join("chunks"));
        for number in 1..=CHUNKS + 1 {
            let file = format!("chunk_{number:05}.ts");
            lay_chunk(names, &file, b"bytes", vec![(1.0, 2.0), (1.04, 2.04)]).unwrap();
        }
        let kept = |file: &str| dir.path().join("chunks").join(file).is_file();
        assert!(!kept("chunk_00001.ts") && kept("chunk_00002.ts"));
        assert_eq!(frame(names, "chunk_00002.ts", 1), Some((1.04, 2.04)));
        assert_eq!(frame(names, "chunk_00002.ts", 2), None);
        assert_eq!(frame(names, "chunk_00001.ts", 0), None);
    }
}
