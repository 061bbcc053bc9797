-- Coding of the analysed file: duplicates are listed with the best copy first. NULL is unknown.
ALTER TABLE embedding ADD COLUMN lossless INTEGER CHECK (lossless IN (0, 1));
ALTER TABLE embedding ADD COLUMN bit_rate INTEGER CHECK (bit_rate >= 0);
