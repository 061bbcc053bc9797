-- Choices of a guild. NULL is the operator's setting.
ALTER TABLE guild ADD COLUMN link_site TEXT;
ALTER TABLE guild ADD COLUMN link_template TEXT;
ALTER TABLE guild ADD COLUMN starter TEXT CHECK (starter IN ('auto', 'always', 'never'));
ALTER TABLE guild ADD COLUMN compact INTEGER CHECK (compact IN (0, 1));
