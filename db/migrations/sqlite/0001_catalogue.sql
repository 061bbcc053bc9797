-- A generation is one indexed version of a scope for one model, activated as a whole.
-- scope: 'library', 'starter' or 'guild:ID'. A scope and model has at most one active generation.
CREATE TABLE generation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope <> ''),
    model_id TEXT NOT NULL CHECK (model_id <> ''),
    dimension INTEGER NOT NULL CHECK (dimension > 0),
    state TEXT NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    tracks INTEGER NOT NULL DEFAULT 0 CHECK (tracks >= 0),
    digest TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX generation_active ON generation (scope, model_id) WHERE state = 'active';
CREATE UNIQUE INDEX generation_building ON generation (scope, model_id) WHERE state = 'building';

-- Ids for buttons: the same in every generation, and never reused.
CREATE TABLE track (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source <> ''),
    UNIQUE (scope, source)
) STRICT;

-- Keyed by content, so that a moved or copied file is not analysed again.
CREATE TABLE embedding (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,
    model_id TEXT NOT NULL,
    vector BLOB NOT NULL,
    heard TEXT NOT NULL,
    duration_s REAL NOT NULL,
    UNIQUE (content, model_id)
) STRICT;

-- Separate from the vectors: all vectors are read at start, fingerprints a few at a time.
CREATE TABLE fingerprint (
    embedding_id INTEGER PRIMARY KEY REFERENCES embedding (id) ON DELETE CASCADE,
    print BLOB NOT NULL
) STRICT;

CREATE TABLE entry (
    generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
    track_id INTEGER NOT NULL REFERENCES track (id),
    embedding_id INTEGER NOT NULL REFERENCES embedding (id),
    title TEXT NOT NULL CHECK (title <> ''),
    artist TEXT NOT NULL CHECK (artist <> ''),
    genre TEXT NOT NULL,
    label TEXT NOT NULL,
    folded TEXT NOT NULL,
    size INTEGER,
    mtime_ns INTEGER,
    added_by INTEGER,
    PRIMARY KEY (generation_id, track_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_embedding ON entry (embedding_id);
CREATE INDEX entry_track ON entry (track_id);
CREATE INDEX entry_added_by ON entry (added_by) WHERE added_by IS NOT NULL;

-- Changes of the active tracks, for indexes in memory. The last row is never deleted.
CREATE TABLE change (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('put', 'remove', 'switch')),
    track_id INTEGER
) STRICT;

-- Files that cannot be analysed; they are skipped until they change.
CREATE TABLE failure (
    scope TEXT NOT NULL,
    model_id TEXT NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (scope, model_id, path)
) STRICT, WITHOUT ROWID;

-- Cache of analyses; used is the order of last use.
CREATE TABLE analysis (
    sha256 TEXT NOT NULL,
    model_id TEXT NOT NULL,
    embedding BLOB NOT NULL,
    scores TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    duration_s REAL NOT NULL,
    analyzed_s REAL NOT NULL,
    used INTEGER NOT NULL,
    UNIQUE (sha256, model_id)
) STRICT;
CREATE UNIQUE INDEX analysis_used ON analysis (used);
