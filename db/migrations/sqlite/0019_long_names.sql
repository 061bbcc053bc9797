-- Names sort and compare by their first 500 letters, which fit into an index of PostgreSQL.
UPDATE entry SET folded = rtrim(substr(folded, 1, 500)) WHERE length(folded) > 500;
UPDATE entry SET artist_key = rtrim(substr(artist_key, 1, 500)) WHERE length(artist_key) > 500;
UPDATE OR IGNORE not_again SET artist_key = rtrim(substr(artist_key, 1, 500))
    WHERE length(artist_key) > 500;
DELETE FROM not_again WHERE length(artist_key) > 500;
