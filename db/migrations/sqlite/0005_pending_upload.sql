-- The upload that a reply refers to: it finds the reply whose own id was not stored before a crash.
ALTER TABLE job ADD COLUMN upload_id INTEGER;
