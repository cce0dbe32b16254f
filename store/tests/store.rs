//! What a store promises: epochs whole and in order, nothing lost with the process, one writer.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use matchcut_store::{ChangeRecord, EpochRecord, Lock, LogRecord, Store, StoreError, StoreState};

fn commit(store: &mut Store, epoch: u64) -> Result<(), StoreError> {
    let input = format!("input {epoch}").into_bytes();
    let changes = [ChangeRecord {
        kind: "segment",
        diff: 1,
        value: format!("{{\"start\":{epoch}}}"),
    }];
    store.commit(&EpochRecord {
        epoch,
        kind: "chunk",
        position: Some(epoch * 2),
        input: &input,
        results: &vec![7; 10_000],
        digest: &[epoch as u8],
        changes: &changes,
        outbox: &[
            ("clip".into(), format!("clip {epoch}")),
            ("topic".into(), format!("message {epoch}")),
        ],
        progress: format!("after {epoch}").as_bytes(),
    })
}

fn log(store: &Store) -> Vec<LogRecord> {
    let mut log = Vec::new();
    store
        .read_log(|record| {
            log.push(record);
            Ok::<(), StoreError>(())
        })
        .unwrap();
    log
}

fn open(dir: &Path) -> Store {
    match Store::open(dir).unwrap() {
        StoreState::Begun(store) => store,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_committed_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(dir.path()), Ok(StoreState::None)));
    let mut store = Store::create(dir.path(), "tennis").unwrap();
    assert!(matches!(Store::open(dir.path()), Ok(StoreState::Empty)));
    commit(&mut store, 0).unwrap();
    commit(&mut store, 1).unwrap();
    drop(store);

    let mut store = open(dir.path());
    assert_eq!(store.next_epoch(), 2);
    assert_eq!(store.identity().unwrap(), "tennis");
    assert_eq!(store.progress().unwrap(), b"after 1");
    let entries = log(&store);
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].epoch, entries[1].kind.as_str()), (1, "chunk"));
    assert_eq!(entries[1].input, b"input 1");
    assert_eq!(entries[1].results, vec![7; 10_000]);
    assert_eq!(entries[1].digest, [1]);
    let changes = store.changes(1).unwrap();
    assert_eq!(changes, [("segment".into(), 1, "{\"start\":1}".into())]);

    // Only the next epoch may come.
    let error = commit(&mut store, 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "epoch 3 was to be committed where 2 comes next"
    );
    commit(&mut store, 2).unwrap();
    assert!(!store.is_finished().unwrap());
    store.finish(2, &[], &[]).unwrap();
    assert!(open(dir.path()).is_finished().unwrap());

    // A new beginning forgets it.
    Store::create(dir.path(), "soccer").unwrap();
    assert!(matches!(Store::open(dir.path()), Ok(StoreState::Empty)));
}

#[test]
fn publications_are_kept_until_they_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path(), "").unwrap();
    commit(&mut store, 0).unwrap();
    commit(&mut store, 1).unwrap();
    let rows = store.outbox("clip").unwrap();
    let payloads: Vec<&str> = rows.iter().map(|row| row.payload.as_str()).collect();
    assert_eq!(payloads, ["clip 0", "clip 1"]);
    let made = [("clip 0".to_owned(), Some("a.mp4".to_owned()))];
    let told = [("topic".into(), "made".to_owned())];
    store.published(&[rows[0].id], &made, (0, &told)).unwrap();
    drop(store);

    let mut store = open(dir.path());
    let rows = store.outbox("clip").unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].epoch, rows[0].payload.as_str()), (1, "clip 1"));
    let published = store.all_published().unwrap();
    assert_eq!(published, [("clip 0".into(), "a.mp4".into())]);
    let gone = [("clip 0".into(), None)];
    store.published(&[], &gone, (1, &[])).unwrap();
    assert_eq!(store.all_published().unwrap(), []);
}

#[test]
fn who_publishes_reads_the_outbox_beside_who_commits() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path(), "").unwrap();
    let incarnation = store.incarnation().unwrap();
    commit(&mut store, 0).unwrap();
    let mut outbox = store.open_outbox("topic").unwrap();
    commit(&mut store, 1).unwrap();
    assert_eq!(store.posted_by_others("clip").unwrap(), 2);
    let rows = outbox.first(1).unwrap();
    assert_eq!((rows.len(), rows[0].payload.as_str()), (1, "message 0"));
    let all = outbox.first(9).unwrap();
    outbox.done(all[1].id).unwrap();
    assert!(outbox.is_empty().unwrap());
    assert_eq!(store.outbox("clip").unwrap().len(), 2, "others' rows stay");

    // An empty outbox begins no new count.
    let clips: Vec<i64> = store.outbox("clip").unwrap().iter().map(|r| r.id).collect();
    store.published(&clips, &[], (1, &[])).unwrap();
    drop((store, outbox));
    let mut store = open(dir.path());
    store
        .finish(2, &[], &[("topic".into(), "over".to_owned())])
        .unwrap();
    let outbox = store.open_outbox("topic").unwrap();
    let last = outbox.first(9).unwrap();
    assert_eq!((last.len(), last[0].payload.as_str()), (1, "over"));
    assert!(last[0].id > all[1].id, "{last:?}");
    assert_eq!(store.incarnation().unwrap(), incarnation);
    drop((store, outbox));
    let again = Store::create(dir.path(), "").unwrap();
    assert_ne!(again.incarnation().unwrap(), incarnation);
}

#[test]
fn what_is_taken_back_replaces_all_that_was_to_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path(), "").unwrap();
    commit(&mut store, 0).unwrap();
    commit(&mut store, 1).unwrap();
    let before = store.outbox("topic").unwrap();
    assert_eq!((before.len(), store.is_taken_back().unwrap()), (2, false));
    store
        .take_back(&[("topic".into(), "gone".to_owned())])
        .unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(store.is_taken_back().unwrap());
    assert_eq!(store.outbox("clip").unwrap(), []);
    let left = store.outbox("topic").unwrap();
    assert_eq!((left.len(), left[0].payload.as_str()), (1, "gone"));
    // Numbers go on: whoever has told some of the others knows that this is new.
    assert!(left[0].id > before[1].id);
    let ever = store.ever("segment").unwrap();
    assert_eq!(ever, ["{\"start\":0}", "{\"start\":1}"]);
    assert_eq!(store.ever("replay").unwrap(), Vec::<String>::new());
}

#[test]
fn a_store_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::create(dir.path(), "").unwrap());
    let path = dir.path().join("event.sqlite");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute(
        "UPDATE meta SET value = CAST('99' AS BLOB) WHERE key = 'format'",
        [],
    )
    .unwrap();
    drop(db);
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("has format 99, and this program reads format 3"),
        "{error}"
    );
    std::fs::write(&path, "no database at all, but text").unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not a database"), "{error}");
}

/// Not a test of its own: the process that the next one kills.
#[test]
fn holder() {
    let Ok(dir) = std::env::var("MATCHCUT_STORE_HOLDER") else {
        return;
    };
    let _lock = Lock::take(Path::new(&dir)).unwrap();
    std::fs::write(Path::new(&dir).join("held"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_lock_goes_with_the_process_that_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder"])
        .env("MATCHCUT_STORE_HOLDER", dir.path())
        .spawn()
        .unwrap();
    while !dir.path().join("held").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let error = Lock::take(dir.path()).unwrap_err().to_string();
    let wanted = format!(
        "{} is in use by another run (process {})",
        dir.path().display(),
        holder.id()
    );
    assert_eq!(error, wanted);
    holder.kill().unwrap();
    holder.wait().unwrap();
    Lock::take(dir.path()).unwrap();
}
