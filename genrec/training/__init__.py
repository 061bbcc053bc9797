"""Training, evaluating and exporting the networks; the only room that imports keras."""
