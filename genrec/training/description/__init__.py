"""Training of the music description: tempo and key from annotated spectrograms."""
