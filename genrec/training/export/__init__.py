"""Export of a training run as a preset: calibration, projection, model card, starter catalogue."""
