//! The tables of the store.

/// The version of the tables and of what their bytes mean.
pub const FORMAT: u32 = 3;

/// Makes all tables.
pub const TABLES: &str = "
-- What the run was started with, and how far it is: 'format', 'identity', 'incarnation',
-- 'progress', 'finished'.
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The log of the event: one input an epoch, and what was made of it outside the dataflow (decoded
-- observations, failures), which is never asked for again.
CREATE TABLE log (
    epoch    INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL,
    position INTEGER,
    input    BLOB NOT NULL,
    results  BLOB NOT NULL,
    digest   BLOB NOT NULL
);

-- What each epoch changed: rows that came (1) and went (-1).
CREATE TABLE changes (
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    diff  INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

-- What is still to be published, in order. A number is never used twice: by it those who publish know
-- what has arrived.
CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX outbox_by_kind ON outbox (kind, id);

-- What was published, by what names it.
CREATE TABLE published (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";
