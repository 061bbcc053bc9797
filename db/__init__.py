"""What genrec keeps: SQLite through aiosqlite."""
