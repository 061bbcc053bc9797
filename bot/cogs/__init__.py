"""Cogs, one feature a file: parse a command, run a handler, send the response."""
