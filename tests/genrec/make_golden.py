"""Write golden.npz: what the shipped preset hears in synthesised clips.

    .venv/bin/python -m tests.genrec.make_golden

Run it after a preset was exported anew, look at the difference, and commit the file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genrec.pipeline import Analyzer
from genrec.preset import Preset
from tests.repository import ROOT
from tests.synth import STYLES, music

GOLDEN = Path(__file__).with_name("golden.npz")
PRESET = ROOT / "models" / "vgg16"
SECONDS = 20.0


def hear() -> dict[str, np.ndarray]:
    """Return mean band levels (clips, 128), embeddings (clips, d) and logits (clips, labels)."""
    analyzer = Analyzer(Preset.load(PRESET))
    levels, embeddings, logits = [], [], []
    for seed in range(len(STYLES)):
        S_db = analyzer.spectrogram(music(seed, SECONDS, analyzer.preset.spectrogram.sr))
        heard = analyzer.see(S_db)
        levels.append(S_db.mean(axis=1))
        embeddings.append(analyzer.embedding(heard.features))
        logits.append(heard.logits)
    return {
        "model_id": np.array(analyzer.model_id),
        "levels": np.array(levels),
        "embeddings": np.array(embeddings),
        "logits": np.array(logits),
    }


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **hear())
