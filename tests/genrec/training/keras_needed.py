"""Marks of tests that train: they need Keras on TensorFlow, and are slow."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

MARKS = [
    pytest.mark.slow,
    # Keras calls __array__ of TensorFlow's variables with NumPy 2's copy argument.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]
