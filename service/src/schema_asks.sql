-- Secrets by their names, sealed under a key that is not here.
CREATE TABLE vault (
    name    TEXT PRIMARY KEY,
    sealed  BLOB NOT NULL,
    changed TEXT NOT NULL
) WITHOUT ROWID;

-- What engines of custom priorities have answered for a replay of an event, by its Id: asked once when it begins to be
-- kept up to date ('running'), and once when its event is over ('over').
CREATE TABLE significance (
    event  TEXT NOT NULL,
    replay TEXT NOT NULL,
    run    TEXT NOT NULL,
    answer TEXT NOT NULL,
    at     TEXT NOT NULL,
    -- Whether the replay was made anew by it.
    taken  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (event, replay, run)
) WITHOUT ROWID;

-- Replays that an engine weighs.
CREATE INDEX replays_by_engine ON replays (program, event)
    WHERE json_extract(row, '$.Priorities.CustomPrioritiesEngine') IS NOT NULL;
