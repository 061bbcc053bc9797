"""Write golden-NAME.npz for each shipped preset: what it hears in synthesised clips.

    .venv/bin/python -m tests.genrec.make_golden [NAME ...]

Run it after a preset was exported anew, look at the difference, and commit the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests.repository import ROOT
from tests.synth import STYLES, music

PRESETS = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))
SECONDS = 20.0


def golden(preset: Path) -> Path:
    """Return where a preset's golden arrays are kept."""
    return Path(__file__).with_name(f"golden-{preset.name}.npz")


def predict(preset: Path) -> dict[str, np.ndarray]:
    """Return mean band levels (clips, n_mels), features and embeddings (clips, d), and logits."""
    analyzer = PresetAnalyzer(Preset.load(preset))
    levels, features, embeddings, logits = [], [], [], []
    for seed in range(len(STYLES)):
        S_db = analyzer.spectrogram(music(seed, SECONDS, analyzer.preset.spectrogram.sr))
        heard = analyzer.predict_spectrogram(S_db)
        levels.append(S_db.mean(axis=1))
        features.append(heard.features)
        embeddings.append(analyzer.embedding(heard.features))
        logits.append(heard.logits)
    return {
        "model_id": np.array(analyzer.model_id),
        "levels": np.array(levels),
        "features": np.array(features),
        "embeddings": np.array(embeddings),
        "logits": np.array(logits),
    }


if __name__ == "__main__":
    for each in PRESETS:
        if not sys.argv[1:] or each.name in sys.argv[1:]:
            np.savez_compressed(golden(each), **predict(each))
