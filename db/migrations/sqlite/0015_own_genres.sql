-- Whether the genre is from a tag or an admin, and not predicted. Where both are equal, an older
-- genrec did not store which: `genrec index --reread-tags` tells.
ALTER TABLE entry ADD COLUMN tagged INTEGER NOT NULL DEFAULT 0 CHECK (tagged IN (0, 1));
UPDATE entry SET tagged = 1 WHERE genre <> ''
    AND genre <> (SELECT heard FROM embedding WHERE id = entry.embedding_id)
    AND generation_id IN (SELECT id FROM generation WHERE scope <> 'starter');

-- Genres that were taught with clips; scope is 'library' or 'guild:ID'. No clip is stored.
CREATE TABLE taught_genre (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    folded TEXT NOT NULL CHECK (folded <> ''),
    UNIQUE (scope, folded)
) STRICT;
CREATE TABLE taught_clip (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    genre_id INTEGER NOT NULL REFERENCES taught_genre (id) ON DELETE CASCADE,
    content TEXT NOT NULL,
    model_id TEXT NOT NULL,
    vector BLOB NOT NULL,
    added_by INTEGER,
    UNIQUE (genre_id, model_id, content)
) STRICT;
CREATE INDEX taught_clip_added_by ON taught_clip (added_by) WHERE added_by IS NOT NULL;
