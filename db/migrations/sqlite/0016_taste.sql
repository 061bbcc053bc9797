-- Votes for the tracks of an answer. shared is the number of tracks that a vote for the whole
-- answer was divided among, and 0 for a vote for the one track. reasons are the kinds of the
-- reasons that the answer gave, separated by spaces. Rows of table feedback stay as they are.
CREATE TABLE track_vote (
    message_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    track_id INTEGER NOT NULL,
    guild_id INTEGER,
    model_id TEXT NOT NULL,
    verdict INTEGER NOT NULL CHECK (verdict IN (-1, 1)),
    shared INTEGER NOT NULL CHECK (shared >= 0),
    rank INTEGER NOT NULL CHECK (rank >= 1),
    reasons TEXT NOT NULL,
    cast_at REAL NOT NULL,
    PRIMARY KEY (message_id, user_id, track_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX track_vote_user ON track_vote (user_id, track_id);
CREATE INDEX track_vote_guild ON track_vote (guild_id) WHERE guild_id IS NOT NULL;

-- Songs and artists that are not recommended again: to a user in every guild, or in a guild to
-- everybody. Exactly one of user_id and guild_id is set, and one of track_id and artist_key.
CREATE TABLE not_again (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    guild_id INTEGER,
    track_id INTEGER,
    artist_key TEXT CHECK (artist_key <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    CHECK ((user_id IS NULL) <> (guild_id IS NULL)),
    CHECK ((track_id IS NULL) <> (artist_key IS NULL)),
    UNIQUE (user_id, track_id),
    UNIQUE (user_id, artist_key),
    UNIQUE (guild_id, track_id),
    UNIQUE (guild_id, artist_key)
) STRICT;

-- Users who get recommendations from their votes, and the tracks that they got.
CREATE TABLE taste (
    user_id INTEGER PRIMARY KEY
) STRICT;
CREATE TABLE taste_shown (
    user_id INTEGER NOT NULL REFERENCES taste (user_id) ON DELETE CASCADE,
    track_id INTEGER NOT NULL,
    shown_at REAL NOT NULL,
    PRIMARY KEY (user_id, track_id)
) STRICT, WITHOUT ROWID;
