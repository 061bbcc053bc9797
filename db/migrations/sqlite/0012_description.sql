-- Tempo, key, loudness and more of the analysed file; NULL if they were not measured.
ALTER TABLE embedding ADD COLUMN description BLOB;
ALTER TABLE analysis ADD COLUMN description BLOB;
-- A cache: clips are analysed again, with a description.
DELETE FROM analysis;
