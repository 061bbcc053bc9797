"""Evaluation: metrics, predictions, robustness and plots."""
