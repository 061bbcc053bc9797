"""Readers of tags in sound files, written in Python and bounded: the files are untrusted."""
