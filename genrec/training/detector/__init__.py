"""Training of the music detector: sounds, clips, fit and report."""
