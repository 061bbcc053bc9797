-- A generation that is retired looks only at its own names for those without a track: the trigger
-- of 0008 looked at all names of the model.
DROP TRIGGER generation_uncounted;
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
    DELETE FROM tally WHERE model_id = OLD.model_id AND kind = 'genre' AND tracks <= 0
        AND name IN (SELECT label FROM entry WHERE generation_id = OLD.id);
    DELETE FROM tally WHERE model_id = OLD.model_id AND kind = 'artist' AND tracks <= 0
        AND name IN (SELECT artist_key FROM entry WHERE generation_id = OLD.id);
END;
