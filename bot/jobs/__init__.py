"""Requests in work: admission, handlers, progress, recovery after a restart, re-indexing."""
