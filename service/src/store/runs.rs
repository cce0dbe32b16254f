//! Events that the service runs: what was asked for, and how far each is.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, events, replays, variables};

/// How far an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It reads no further, and what was read is finished.
    Draining,
    /// It is over, and everything is written.
    Complete,
    /// It is over, and what was said of it since changes its results.
    Revising,
    /// It reads no further because it is to be over; to clients this is draining.
    Ending,
    /// It could not go on; what it came to until then is there.
    Failed,
    /// Somebody has stopped it.
    Stopped,
    /// It is being removed, with everything that it came to.
    Deleting,
}

/// All states with their names.
const NAMES: [(RunState, &str); 9] = [
    (RunState::Queued, "queued"),
    (RunState::Running, "running"),
    (RunState::Draining, "draining"),
    (RunState::Ending, "ending"),
    (RunState::Complete, "complete"),
    (RunState::Revising, "revising"),
    (RunState::Failed, "failed"),
    (RunState::Stopped, "stopped"),
    (RunState::Deleting, "deleting"),
];

impl RunState {
    /// Its name.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(state, _)| *state == self);
        found.map_or("queued", |(_, name)| name)
    }

    /// Whether nothing more happens unless somebody asks for it.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            RunState::Complete | RunState::Failed | RunState::Stopped
        )
    }
}

impl ToSql for RunState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for RunState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<RunState> {
        let text = value.as_str()?;
        let found = NAMES.iter().find(|(_, name)| *name == text);
        found
            .map(|(state, _)| *state)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// How much an event has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Segments that stand.
    pub segments: usize,
    /// Observations.
    pub observations: usize,
    /// Replays.
    pub replays: usize,
    /// What went wrong.
    pub failures: usize,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its place in the order.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// What its spec calls the pipeline.
    pub name: String,
    /// Its spec.
    pub spec: String,
    /// How its clips are cut.
    pub clips: String,
    /// How far it is.
    pub state: RunState,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was asked for; this and what follows is RFC 3339.
    pub created: String,
    /// When it was first begun.
    pub started: Option<String>,
    /// When it was over.
    pub ended: Option<String>,
    /// The last epoch that was committed when it was over.
    pub epoch: Option<u64>,
    /// What it had come to then.
    pub counts: Counts,
    /// For how many seconds it is kept when it is over; nothing for ever.
    pub retention: Option<i64>,
}

const COLUMNS: &str = "number, id, name, spec, clips, state, reason, created, started, ended, epoch, counts, retention";

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let counts: String = row.get(11)?;
    let epoch: Option<i64> = row.get(10)?;
    Ok(Run {
        number: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        spec: row.get(3)?,
        clips: row.get(4)?,
        state: row.get(5)?,
        reason: row.get(6)?,
        created: row.get(7)?,
        started: row.get(8)?,
        ended: row.get(9)?,
        epoch: epoch.and_then(|epoch| u64::try_from(epoch).ok()),
        counts: serde_json::from_str(&counts).unwrap_or_default(),
        retention: row.get(12)?,
    })
}

/// Keeps a new event; false where there is one of this id. Its number is given by the store.
pub fn add(db: &Connection, run: &Run) -> Result<bool, StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO runs (id, name, spec, clips, state, created, counts, reason, ended, retention)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let added = insert.execute(params![
        run.id,
        run.name,
        run.spec,
        run.clips,
        run.state,
        run.created,
        counts(run)?,
        run.reason,
        run.ended,
        run.retention
    ])?;
    Ok(added > 0)
}

fn counts(run: &Run) -> Result<String, StoreError> {
    serde_json::to_string(&run.counts).map_err(|_| StoreError::Damaged)
}

/// The event of this id.
pub fn get(db: &Connection, id: &str) -> Result<Option<Run>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?;
    Ok(query.query_row([id], read).optional()?)
}

/// Changes how far an event is, and what it has come to. What MRE's API says of it goes along: what failed may go
/// on, so it is not over there. `asked` are the replays that it has beside those of its spec.
pub fn set(db: &Connection, run: &Run, asked: &[String]) -> Result<(), StoreError> {
    match run.state {
        RunState::Running => set_status(db, (run, asked), "In Progress")?,
        RunState::Complete | RunState::Stopped => set_status(db, (run, asked), "Complete")?,
        _ => {}
    }
    let mut update = db.prepare_cached(
        "UPDATE runs SET state = ?2, reason = ?3, started = ?4, ended = ?5, epoch = ?6, counts = ?7
         WHERE id = ?1",
    )?;
    let epoch = run.epoch.and_then(|epoch| i64::try_from(epoch).ok());
    update.execute(params![
        run.id,
        run.state,
        run.reason,
        run.started,
        run.ended,
        epoch,
        counts(run)?
    ])?;
    Ok(())
}

/// What MRE's API says of an event, and of the replays that it makes.
fn set_status(
    db: &Connection,
    (run, asked): (&Run, &[String]),
    status: &str,
) -> Result<(), StoreError> {
    let Some(event) = events::of_id(db, &run.id)? else {
        return Ok(());
    };
    events::set_status(db, &run.id, status)?;
    let word = |key: &str| event.get(key).and_then(|word| word.as_str());
    let (Some(program), Some(name)) = (word("Program"), word("Name")) else {
        return Err(StoreError::Damaged);
    };
    let spec: toml::Table = run.spec.parse().unwrap_or_default();
    let replays = spec.get("replays").and_then(|part| part.as_table());
    let of_spec = replays.into_iter().flat_map(|table| table.keys());
    let mut any = false;
    for id in of_spec.chain(asked) {
        replays::set_status(db, (program, name, id), status)?;
        any = true;
    }
    if any && status == "Complete" {
        events::set_has_replays(db, &run.id)?;
    }
    Ok(())
}

/// Forgets an event, and under which keys it was asked for.
pub fn remove(db: &Connection, id: &str) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM asked WHERE id = ?1")?
        .execute([id])?;
    variables::remove(db, id)?;
    db.prepare_cached("DELETE FROM runs WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// At most `limit` events that are not being removed, the newest first, from behind `before` on.
pub fn newest_first(
    db: &Connection,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Run>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs
         WHERE number < ?1 AND state <> 'deleting' ORDER BY number DESC LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = query.query_map(params![before.unwrap_or(i64::MAX), limit], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Events that are not over, in the order in which they were asked for.
pub fn open(db: &Connection) -> Result<Vec<Run>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs
         WHERE state IN ('queued', 'running', 'draining', 'ending', 'revising', 'deleting') ORDER BY number"
    ))?;
    let found = query.query_map([], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Events that are being removed, the oldest first.
pub fn deleting(db: &Connection) -> Result<Vec<Run>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE state = 'deleting' ORDER BY number"
    ))?;
    let found = query.query_map([], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Events that are over, and were to be kept until a time, in seconds, or shorter.
pub fn expired(db: &Connection, now: i64) -> Result<Vec<String>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT id FROM runs WHERE retention IS NOT NULL
         AND state IN ('complete', 'failed', 'stopped')
         AND CAST(strftime('%s', ended) AS INTEGER) + retention <= ?1 ORDER BY number",
    )?;
    let found = query.query_map([now], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// What was asked for under a key: the request, and the id that it got.
pub fn asked(db: &Connection, key: &str) -> Result<Option<(String, String)>, StoreError> {
    let mut query = db.prepare_cached("SELECT request, id FROM asked WHERE key = ?1")?;
    let found = query.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// Notes what was asked for under a key, and forgets what was before `old`.
pub fn note_asked(
    db: &Connection,
    (key, request, id): (&str, &str, &str),
    at: &str,
    old: &str,
) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM asked WHERE at < ?1")?
        .execute([old])?;
    db.prepare_cached("INSERT OR REPLACE INTO asked VALUES (?1, ?2, ?3, ?4)")?
        .execute([key, request, id, at])?;
    Ok(())
}
