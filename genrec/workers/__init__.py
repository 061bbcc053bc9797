"""Analysis in sandboxed worker processes."""
