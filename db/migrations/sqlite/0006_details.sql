-- Album, year and published ids, from the tags of a track's file; a track without any has no row.
-- Not in entry: every entry is read at start, and these are read for a few tracks at a time.
CREATE TABLE detail (
    track_id INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE,
    album TEXT NOT NULL,
    year INTEGER NOT NULL CHECK (year >= 0),
    isrc TEXT NOT NULL,
    recording_id TEXT NOT NULL,
    release_id TEXT NOT NULL,
    artist_id TEXT NOT NULL
) STRICT;
