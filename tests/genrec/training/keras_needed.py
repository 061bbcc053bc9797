"""What every test that trains needs: Keras on TensorFlow, and patience with what they warn of."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

MARKS = [
    pytest.mark.slow,
    # Keras asks TensorFlow's variables for arrays in the manner of NumPy 2, unknown to them yet.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]
