"""Evaluation of presets: metrics, predictions, robustness and plots."""
