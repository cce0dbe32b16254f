-- What the service signs with: made where it is first needed, told to nobody.
CREATE TABLE secrets (
    name   TEXT PRIMARY KEY,
    secret BLOB NOT NULL
) WITHOUT ROWID;

-- What clients keep in MRE's data plane about an event, by its Id: results of plugins, chunks, frames, executions,
-- feedback, replays. `name` says whose it is, `place` where it is in its list.
CREATE TABLE kept (
    event TEXT NOT NULL,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    place INTEGER NOT NULL,
    row   TEXT NOT NULL,
    PRIMARY KEY (event, kind, name, place)
) WITHOUT ROWID;

-- Jobs that transcode, which MRE's clip makers follow.
CREATE TABLE jobs (
    id  TEXT PRIMARY KEY,
    row TEXT NOT NULL,
    at  INTEGER NOT NULL
) WITHOUT ROWID;
