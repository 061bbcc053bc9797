"""Decode any supported sound file to mono float32 samples."""
