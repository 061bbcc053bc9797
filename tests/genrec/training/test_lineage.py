"""What a run or preset went on from, read from settings, sources and model cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec.errors import DataError
from genrec.preset import METRICS, Preset
from genrec.training.data.songs import write_run_sources
from genrec.training.lineage import lineage, name_of, sources_of
from genrec.training.settings import TrainingSettings, write_or_check_settings
from tests.repository import ROOT

BANDS = ["band-000", "band-001", "band-002"]


def made_run(folder: Path, labels: list[str], **settings: object) -> Path:
    """Write the settings of a run; return its folder."""
    chosen = TrainingSettings(**settings)  # type: ignore[arg-type]
    write_or_check_settings(folder, chosen, labels, resume=False)
    return folder


def test_steps_lead_back_to_the_first_run(tmp_path: Path) -> None:
    first = made_run(tmp_path / "bands", BANDS, weights="none")
    second = made_run(
        tmp_path / "genres", ["jazz", "rock"], weights=str(first), teachers=("runs/six",)
    )
    write_run_sources(second, networks=["six"], lineage=lineage(first))
    assert lineage(second) == [
        {
            "name": "genres", "weights": "bands", "teachers": ["six"], "labels": 2,
            "synthetic": False,
        },
        {"name": "bands", "weights": "none", "teachers": [], "labels": 3, "synthetic": True},
    ]  # fmt: skip


def test_run_names_the_music_of_its_start_too(tmp_path: Path) -> None:
    """A resumed run keeps what it wrote, whatever its start has become."""
    row = {"name": "one", "songs": 2, "hours": 0.1, "licences": ["CC0"]}
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    write_run_sources(first, teachers=["b"], packages=[row], changed=True)
    new = row | {"name": "two"}
    write_run_sources(second, teachers=["a"], packages=[new], earlier=sources_of(first))
    found = sources_of(second)
    assert found["teachers"] == ["a", "b"]
    assert [each["name"] for each in found["packages"]] == ["one", "two"]
    assert found["changed"] is True
    write_run_sources(second, teachers=["a"], earlier={"teachers": ["c"], "packages": []})
    assert sources_of(second) == found


def test_preset_is_named_by_its_model_id_and_brings_its_own_steps() -> None:
    folder = ROOT / "models" / "vgg16"
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    steps = lineage(folder)
    assert steps[0]["name"] == Preset.load(folder).model_id
    assert steps[0]["teachers"] == metrics["sources"]["networks"]
    assert steps[1:] == metrics["sources"]["lineage"]
    assert steps[-1]["weights"] == "none"
    assert [name_of(each) for each in (folder, Path("runs/a"))] == [steps[0]["name"], "a"]


def test_folder_without_settings_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a training run"):
        lineage(tmp_path)
