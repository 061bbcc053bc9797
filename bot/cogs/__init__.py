"""The bot's features, one file each: a cog parses, calls and replies."""
