"""Analysis in sandboxed worker processes: pool, protocol, supervisor, sandbox."""
