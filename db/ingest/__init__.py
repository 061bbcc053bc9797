"""Indexing of a music folder: scan, plan, analysis, and one transaction that makes it live."""
