"""Settings of pgvector for every connection; a server without the extension ignores them."""

from __future__ import annotations

SEARCH_SETTINGS = {
    # Candidates that a graph keeps during a search; recall grows with them.
    "hnsw.ef_search": "150",
    # A search goes on where the filter leaves out what it found.
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "100000",
    "hnsw.scan_mem_multiplier": "4",
}
