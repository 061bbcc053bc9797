"""Training, evaluation and export of the networks; the only package that imports Keras."""
