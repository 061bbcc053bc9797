"""The face of genrec: Discord, the command line, links and configuration."""
