-- Where the analysed parts lie in the file: JSON pairs of seconds. NULL in older rows: unknown.
ALTER TABLE analysis ADD COLUMN parts TEXT;
