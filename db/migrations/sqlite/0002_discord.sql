CREATE TABLE guild (
    guild_id INTEGER PRIMARY KEY,
    default_count INTEGER NOT NULL CHECK (default_count BETWEEN 1 AND 10),
    private INTEGER NOT NULL CHECK (private IN (0, 1)),
    preset TEXT NOT NULL,
    allowed_role INTEGER
) STRICT;

-- Channels whose uploads are analysed.
CREATE TABLE upload_channel (
    channel_id INTEGER PRIMARY KEY,
    guild_id INTEGER NOT NULL REFERENCES guild (guild_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX upload_channel_guild ON upload_channel (guild_id);

-- One vote for each user and message.
CREATE TABLE feedback (
    message_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    guild_id INTEGER,
    model_id TEXT NOT NULL,
    verdict INTEGER NOT NULL CHECK (verdict IN (-1, 1)),
    PRIMARY KEY (message_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX feedback_user ON feedback (user_id);
CREATE INDEX feedback_guild ON feedback (guild_id);

-- Pending replies. The token is a credential, so the row is deleted with the final edit.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    guild_id INTEGER,
    channel_id INTEGER,
    message_id INTEGER,
    application_id INTEGER,
    token TEXT,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX job_user ON job (user_id);

-- Single values, such as the hash of the last synced commands.
CREATE TABLE kept_value (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
