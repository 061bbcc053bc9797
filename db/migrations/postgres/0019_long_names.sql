-- Names sort and compare by their first 500 letters, as 0019 of SQLite says. Texts of up to 2,700
-- bytes were stored, so few rows have more letters.
UPDATE entry SET folded = rtrim(left(folded, 500)) WHERE length(folded) > 500;
UPDATE entry SET artist_key = rtrim(left(artist_key, 500)) WHERE length(artist_key) > 500;
DELETE FROM not_again AS longer WHERE length(artist_key) > 500 AND EXISTS (SELECT FROM not_again AS o
    WHERE o.id <> longer.id AND left(o.artist_key, 500) = left(longer.artist_key, 500)
    AND o.user_id IS NOT DISTINCT FROM longer.user_id
    AND o.guild_id IS NOT DISTINCT FROM longer.guild_id
    AND (length(o.artist_key) <= 500 OR o.id < longer.id));
UPDATE not_again SET artist_key = rtrim(left(artist_key, 500)) WHERE length(artist_key) > 500;
