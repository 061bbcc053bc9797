"""Requests: admission, options, handlers, progress, recovery after a restart, re-indexing."""
