-- By which role an event was asked for, and so what it may reach. Those that are not here were asked for before roles were
-- kept, or by an admin.
CREATE TABLE asked_by (
    id   TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    -- Whether all of its spec is theirs ('spec'), or only where its source is ('source').
    what TEXT NOT NULL
) WITHOUT ROWID;
