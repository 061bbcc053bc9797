"""What a reply looks like: texts, Components V2 layouts, custom ids, pictures, track files."""
