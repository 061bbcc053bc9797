"""Embeddings of the active tracks in memory, and their snapshot file."""
