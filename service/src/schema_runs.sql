-- Events that the service runs, in the order in which they were asked for. What they come to lies in files.
CREATE TABLE runs (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    name    TEXT NOT NULL,
    spec    TEXT NOT NULL,
    clips   TEXT NOT NULL,
    state   TEXT NOT NULL,
    reason  TEXT,
    created TEXT NOT NULL,
    started TEXT,
    ended   TEXT,
    epoch   INTEGER,
    counts  TEXT NOT NULL
);
CREATE INDEX runs_by_state ON runs (state);

-- Events of MRE run under their Id.
CREATE INDEX events_by_id ON events (json_extract(row, '$.Id'));
CREATE INDEX events_by_status ON events (json_extract(row, '$.Status'));

-- What was asked for under a key of a client: the same again is answered as before.
CREATE TABLE asked (
    key     TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    id      TEXT NOT NULL,
    at      TEXT NOT NULL
) WITHOUT ROWID;
