-- Address of a page of the track, from its tags or an import; the title of the track links to it.
ALTER TABLE detail ADD COLUMN page TEXT NOT NULL DEFAULT '';
