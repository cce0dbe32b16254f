//! The tables of the store.

/// The version of the tables and of what their bytes mean.
pub const FORMAT: u32 = 2;

/// Makes all tables.
pub const TABLES: &str = "
-- What the run was started with, and how far it is: 'format', 'identity', 'progress', 'finished'.
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

-- What is still to be published, in order.
CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    payload TEXT NOT NULL
);

-- What was published, by what names it.
CREATE TABLE published (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";
