-- Probability that a clip holds music. The presets so far have no music detector, so it was 1.
ALTER TABLE analysis ADD COLUMN music REAL NOT NULL DEFAULT 1;
