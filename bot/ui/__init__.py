"""Message content: Components V2 layouts, custom ids, pictures, track files."""
