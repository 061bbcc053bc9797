"""Analysis of clips: audio, spectrograms, networks, similarity."""
