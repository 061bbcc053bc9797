-- Indexed music folders, by absolute path; indexed_at is in seconds since 1970.
CREATE TABLE folder (
    scope TEXT NOT NULL CHECK (scope <> ''),
    path TEXT NOT NULL CHECK (path <> ''),
    indexed_at REAL NOT NULL,
    PRIMARY KEY (scope, path)
) STRICT, WITHOUT ROWID;
-- When the track's file was found to be gone; such a track is kept, and left out of every answer.
ALTER TABLE entry ADD COLUMN gone_at REAL;
CREATE INDEX entry_gone ON entry (generation_id, track_id) WHERE gone_at IS NOT NULL;
