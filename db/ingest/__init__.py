"""Indexing of a music folder: scan, plan, analysis, and activation in one transaction."""
