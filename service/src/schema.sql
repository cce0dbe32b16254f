-- What the service keeps. Rows are JSON as clients sent it and get it back; columns beside them are
-- what rows are found by.

-- Who may use the service. A signature can only be checked with the secret itself.
CREATE TABLE access_keys (
    id      TEXT PRIMARY KEY,
    secret  TEXT NOT NULL,
    role    TEXT NOT NULL,
    created TEXT NOT NULL
) WITHOUT ROWID;

-- Content groups and programs: names.
CREATE TABLE names (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- Models, plugins and prompts. Version 0 is a copy of the newest, with its number in it.
CREATE TABLE versioned (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    row     TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
);

-- What has a name and no versions: profiles, parameters of the system, engines of priorities, variables of
-- profiles.
CREATE TABLE named (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    row  TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Events, found by their start, and what belongs to each beside its row: its variables, and what its source
-- wants to see.
CREATE TABLE events (
    program   TEXT NOT NULL,
    name      TEXT NOT NULL,
    start     TEXT NOT NULL,
    row       TEXT NOT NULL,
    variables TEXT NOT NULL,
    auth      TEXT,
    PRIMARY KEY (program, name)
);
CREATE INDEX events_by_start ON events (start DESC, program, name);

-- Requests for replays of events.
CREATE TABLE replays (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    program TEXT NOT NULL,
    event   TEXT NOT NULL,
    id      TEXT NOT NULL,
    row     TEXT NOT NULL,
    UNIQUE (program, event, id)
);
