"""The core of genrec: audio, spectrograms, models, similarity."""
