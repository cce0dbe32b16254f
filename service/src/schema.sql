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

-- What has a name and no versions: profiles, parameters of the system, variables of profiles.
CREATE TABLE named (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    row  TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
