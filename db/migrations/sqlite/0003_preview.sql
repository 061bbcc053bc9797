-- A coarse spectrogram to draw. Old cached analyses have none, so they are deleted.
DELETE FROM analysis;
ALTER TABLE analysis ADD COLUMN preview BLOB;
