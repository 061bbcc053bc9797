-- A coarse picture of what was heard. What is kept from before has none and is heard once more.
DELETE FROM analysis;
ALTER TABLE analysis ADD COLUMN preview BLOB;
