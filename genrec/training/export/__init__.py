"""Export of a trained network as a preset: calibration, projection, model card, catalogue."""
