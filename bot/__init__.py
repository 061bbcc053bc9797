"""The bot: Discord, links, the command line and the settings."""
