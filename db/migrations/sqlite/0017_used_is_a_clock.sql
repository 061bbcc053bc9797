-- analysis.used is the time of the last use, in nanoseconds since 1970, and no longer a number of
-- its own. Older rows have small numbers, so they count as used before all others.
DROP INDEX analysis_used;
CREATE INDEX analysis_used ON analysis (used);
