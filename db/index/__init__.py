"""The embeddings in memory: one growing matrix, kept up to date and saved as a snapshot."""
