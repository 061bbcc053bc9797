"""Figures of questions on a preset's starter catalogue, one module for each."""
