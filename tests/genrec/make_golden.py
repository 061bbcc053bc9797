"""Write golden-NAME.npz for each shipped preset: its predictions for synthetic clips.

    .venv/bin/python -m tests.genrec.make_golden [NAME ...]

Run it after exporting a preset again, compare the difference, and commit the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests.repository import ROOT
from tests.synth import STYLES, music

PRESETS = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))
SECONDS = 20.0


def golden(preset: Path) -> Path:
    """Return the path of a preset's golden arrays."""
    return Path(__file__).with_name(f"golden-{preset.name}.npz")


def predict(preset: Path) -> dict[str, np.ndarray]:
    """Return the model id and five arrays with one row a clip.

    Mean band levels (clips, n_mels), features (clips, d), embeddings (clips, d), logits and
    calibrated probabilities (clips, labels), the last two in the order of the preset's labels.
    """
    analyzer = PresetAnalyzer(Preset.load(preset))
    levels, features, embeddings, logits, probabilities = [], [], [], [], []
    for seed in range(len(STYLES)):
        sr = analyzer.preset.spectrogram.sr
        S_db, starts = analyzer.spectrogram(listen(music(seed, SECONDS, sr), sr).y)
        prediction = analyzer.predict_spectrogram(S_db, starts)
        levels.append(S_db.mean(axis=1))
        features.append(prediction.features)
        embeddings.append(analyzer.embedding(prediction.features))
        logits.append(prediction.logits)
        probabilities.append(by_label(analyzer, prediction.logits))
    return {
        "model_id": np.array(analyzer.model_id),
        "levels": np.array(levels),
        "features": np.array(features),
        "embeddings": np.array(embeddings),
        "logits": np.array(logits),
        "probabilities": np.array(probabilities),
    }


def by_label(analyzer: PresetAnalyzer, logits: np.ndarray) -> list[float]:
    """Return the calibrated probabilities of logits, in the order of the preset's labels."""
    probability = {score.label: score.probability for score in analyzer.scores(logits)}
    return [probability[label] for label in analyzer.preset.labels]


if __name__ == "__main__":
    for each in PRESETS:
        if not sys.argv[1:] or each.name in sys.argv[1:]:
            np.savez_compressed(golden(each), **predict(each))
