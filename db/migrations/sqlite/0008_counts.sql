-- Counters, a full-text index and lists of unused rows, kept by triggers, so that no query and no
-- change of one track costs more in a larger catalogue. artist_key() and search_text() are Python
-- functions of db.search_text, and are used by this script only.
ALTER TABLE entry ADD COLUMN artist_key TEXT NOT NULL DEFAULT '';
UPDATE entry SET artist_key = artist_key(artist) WHERE artist <> '';
CREATE INDEX entry_sorted ON entry (generation_id, folded, track_id);

-- Words of each entry, as trigrams; the rowid is generation_id << 40 | track_id.
CREATE VIRTUAL TABLE entry_words USING fts5 (words, tokenize = 'trigram case_sensitive 1');
INSERT INTO entry_words (rowid, words)
    SELECT generation_id << 40 | track_id, search_text(folded) FROM entry;

-- Served tracks of a model by kind ('genre' or 'artist') and name, and in the row of kind
-- 'artists' the number of different artists.
CREATE TABLE tally (
    model_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('genre', 'artist', 'artists')),
    name TEXT NOT NULL,
    tracks INTEGER NOT NULL,
    PRIMARY KEY (model_id, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tally_artist_inserted AFTER INSERT ON tally
WHEN NEW.kind = 'artist' AND NEW.name <> ''
BEGIN
    INSERT INTO tally VALUES (NEW.model_id, 'artists', '', 1)
        ON CONFLICT DO UPDATE SET tracks = tracks + 1;
END;
CREATE TRIGGER tally_artist_deleted AFTER DELETE ON tally
WHEN OLD.kind = 'artist' AND OLD.name <> ''
BEGIN
    UPDATE tally SET tracks = tracks - 1
        WHERE model_id = OLD.model_id AND kind = 'artists' AND name = '';
END;

-- A generation that becomes active or retired.
CREATE TRIGGER generation_counted AFTER UPDATE OF state ON generation WHEN NEW.state = 'active'
BEGIN
    INSERT INTO tally
        SELECT NEW.model_id, 'genre', label, count(*) FROM entry
            WHERE generation_id = NEW.id AND gone_at IS NULL GROUP BY label
        ON CONFLICT DO UPDATE SET tracks = tracks + excluded.tracks;
    INSERT INTO tally
        SELECT NEW.model_id, 'artist', artist_key, count(*) FROM entry
            WHERE generation_id = NEW.id AND gone_at IS NULL GROUP BY artist_key
        ON CONFLICT DO UPDATE SET tracks = tracks + excluded.tracks;
END;
CREATE TRIGGER generation_uncounted AFTER UPDATE OF state ON generation
WHEN OLD.state = 'active' AND NEW.state <> 'active'
BEGIN
    INSERT INTO tally
        SELECT OLD.model_id, 'genre', label, -count(*) FROM entry
            WHERE generation_id = OLD.id AND gone_at IS NULL GROUP BY label
        ON CONFLICT DO UPDATE SET tracks = tracks + excluded.tracks;
    INSERT INTO tally
        SELECT OLD.model_id, 'artist', artist_key, -count(*) FROM entry
            WHERE generation_id = OLD.id AND gone_at IS NULL GROUP BY artist_key
        ON CONFLICT DO UPDATE SET tracks = tracks + excluded.tracks;
    DELETE FROM tally WHERE model_id = OLD.model_id AND kind <> 'artists' AND tracks <= 0;
END;

-- Tracks and embeddings that lost an entry; db.generations.sweep deletes those without another.
CREATE TABLE maybe_unused (
    id INTEGER PRIMARY KEY,
    track_id INTEGER NOT NULL,
    embedding_id INTEGER NOT NULL
) STRICT;
INSERT INTO maybe_unused (track_id, embedding_id)
    SELECT id, 0 FROM track WHERE NOT EXISTS (SELECT 1 FROM entry WHERE track_id = track.id)
    UNION ALL
    SELECT 0, id FROM embedding
        WHERE NOT EXISTS (SELECT 1 FROM entry WHERE embedding_id = embedding.id);

CREATE TRIGGER entry_counted AFTER INSERT ON entry WHEN NEW.gone_at IS NULL
BEGIN
    UPDATE generation SET tracks = tracks + 1 WHERE id = NEW.generation_id;
    INSERT INTO tally
        SELECT model_id, 'genre', NEW.label, 1 FROM generation
            WHERE id = NEW.generation_id AND state = 'active'
        ON CONFLICT DO UPDATE SET tracks = tracks + 1;
    INSERT INTO tally
        SELECT model_id, 'artist', NEW.artist_key, 1 FROM generation
            WHERE id = NEW.generation_id AND state = 'active'
        ON CONFLICT DO UPDATE SET tracks = tracks + 1;
END;
CREATE TRIGGER entry_uncounted AFTER DELETE ON entry WHEN OLD.gone_at IS NULL
BEGIN
    UPDATE generation SET tracks = tracks - 1 WHERE id = OLD.generation_id;
    UPDATE tally SET tracks = tracks - 1 WHERE kind = 'genre' AND name = OLD.label AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active');
    DELETE FROM tally WHERE kind = 'genre' AND name = OLD.label AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active')
        AND tracks <= 0;
    UPDATE tally SET tracks = tracks - 1 WHERE kind = 'artist' AND name = OLD.artist_key AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active');
    DELETE FROM tally WHERE kind = 'artist' AND name = OLD.artist_key AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active')
        AND tracks <= 0;
END;
CREATE TRIGGER entry_recounted
AFTER UPDATE OF generation_id, label, artist_key, gone_at ON entry WHEN NEW.gone_at IS NULL
BEGIN
    UPDATE generation SET tracks = tracks + 1 WHERE id = NEW.generation_id;
    INSERT INTO tally
        SELECT model_id, 'genre', NEW.label, 1 FROM generation
            WHERE id = NEW.generation_id AND state = 'active'
        ON CONFLICT DO UPDATE SET tracks = tracks + 1;
    INSERT INTO tally
        SELECT model_id, 'artist', NEW.artist_key, 1 FROM generation
            WHERE id = NEW.generation_id AND state = 'active'
        ON CONFLICT DO UPDATE SET tracks = tracks + 1;
END;
CREATE TRIGGER entry_unrecounted
AFTER UPDATE OF generation_id, label, artist_key, gone_at ON entry WHEN OLD.gone_at IS NULL
BEGIN
    UPDATE generation SET tracks = tracks - 1 WHERE id = OLD.generation_id;
    UPDATE tally SET tracks = tracks - 1 WHERE kind = 'genre' AND name = OLD.label AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active');
    DELETE FROM tally WHERE kind = 'genre' AND name = OLD.label AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active')
        AND tracks <= 0;
    UPDATE tally SET tracks = tracks - 1 WHERE kind = 'artist' AND name = OLD.artist_key AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active');
    DELETE FROM tally WHERE kind = 'artist' AND name = OLD.artist_key AND model_id =
        (SELECT model_id FROM generation WHERE id = OLD.generation_id AND state = 'active')
        AND tracks <= 0;
END;
CREATE TRIGGER entry_deleted AFTER DELETE ON entry
BEGIN
    DELETE FROM entry_words WHERE rowid = (OLD.generation_id << 40 | OLD.track_id);
    INSERT INTO maybe_unused (track_id, embedding_id) VALUES (OLD.track_id, OLD.embedding_id);
END;
CREATE TRIGGER entry_moved AFTER UPDATE OF generation_id, track_id ON entry
BEGIN
    UPDATE entry_words SET rowid = (NEW.generation_id << 40 | NEW.track_id)
        WHERE rowid = (OLD.generation_id << 40 | OLD.track_id);
END;
CREATE TRIGGER entry_replaced AFTER UPDATE OF embedding_id ON entry
WHEN OLD.embedding_id <> NEW.embedding_id
BEGIN
    INSERT INTO maybe_unused (track_id, embedding_id) VALUES (0, OLD.embedding_id);
END;

UPDATE generation SET tracks =
    (SELECT count(*) FROM entry WHERE generation_id = generation.id AND gone_at IS NULL);
INSERT INTO tally
    SELECT g.model_id, 'genre', e.label, count(*) FROM generation AS g
        JOIN entry AS e ON e.generation_id = g.id
        WHERE g.state = 'active' AND e.gone_at IS NULL GROUP BY g.model_id, e.label;
INSERT INTO tally
    SELECT g.model_id, 'artist', e.artist_key, count(*) FROM generation AS g
        JOIN entry AS e ON e.generation_id = g.id
        WHERE g.state = 'active' AND e.gone_at IS NULL GROUP BY g.model_id, e.artist_key;
