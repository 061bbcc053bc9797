"""The SQLite database of genrec, through aiosqlite."""
