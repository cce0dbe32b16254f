-- For how many seconds an event is kept when it is over; for ever where nothing is said.
ALTER TABLE runs ADD COLUMN retention INTEGER;
CREATE INDEX runs_by_retention ON runs (state) WHERE retention IS NOT NULL;
