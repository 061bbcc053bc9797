"""The runtimes of a network: the same answer from each, and which one is chosen."""

from __future__ import annotations

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from genrec import processor, runtimes
from genrec.errors import PresetError
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.runtimes import choose_runtime, onnxruntime_installed, open_network
from genrec.types import Runtime
from genrec.workers.pool import AnalysisPool
from tests.repository import ROOT
from tests.synth import music, write

PRESETS = ("resnet50", "vgg16")
needs_onnxruntime = pytest.mark.skipif(
    not onnxruntime_installed(), reason="needs the extra onnxruntime"
)

on_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="only x86-64 processors may lack VNNI"
)


def pretend(monkeypatch: pytest.MonkeyPatch, *, vnni: bool, installed: bool = True) -> None:
    """Pretend that the processor has VNNI or lacks it, and that the extra is installed or not."""
    monkeypatch.setattr(runtimes, "lacks_vnni", lambda: not vnni)
    if not installed:
        monkeypatch.setattr(
            runtimes, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
        )


@needs_onnxruntime
@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.parametrize("name", PRESETS)
def test_onnxruntime_gives_the_answer_of_litert(
    name: str, vnni: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if vnni and processor.lacks_vnni():
        pytest.skip("this processor lacks VNNI, and sums in 16 bits would saturate")
    pretend(monkeypatch, vnni=vnni)
    preset = Preset.load(ROOT / "models" / name)
    wanted: tuple[Runtime, ...] = ("litert", "onnxruntime")
    litert, other = (PresetAnalyzer(preset, runtime=runtime) for runtime in wanted)
    assert (litert.runtime, other.runtime) == wanted
    for seed in range(4):
        y = music(seed, 30.0, preset.spectrogram.sr)
        expected, found = litert.predict(y), other.predict(y)
        # The steps of the int8 logits are 0.03 and 0.04: a rounding may differ, and no more.
        np.testing.assert_allclose(found.logits, expected.logits, atol=0.05)
        cosine = litert.embedding(expected.features) @ litert.embedding(found.features)
        assert cosine > 0.9999  # as docs/performance.md says
        assert other.scores(found.logits)[0].label == litert.scores(expected.logits)[0].label


@needs_onnxruntime
def test_onnxruntime_takes_any_number_of_images() -> None:
    network = open_network(ROOT / "models/resnet50/model.tflite", runtime="onnxruntime")
    x = np.random.default_rng(0).normal(0, 1, (3, 64, 64, 3)).astype(np.float32)
    features, logits = network(x)
    assert (features.shape, logits.shape) == ((3, network.dimension), (3, 10))
    assert (features.dtype, logits.dtype) == (np.float32, np.float32)
    alone = network(x[1:2])
    np.testing.assert_allclose(alone[0], features[1:2], atol=1e-6)
    np.testing.assert_allclose(alone[1], logits[1:2], atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "vnni", "installed", "chosen"),
    [
        ("auto", True, True, "litert"),
        ("auto", False, True, "onnxruntime"),
        ("auto", False, False, "litert"),
        ("litert", False, True, "litert"),
        ("onnxruntime", True, True, "onnxruntime"),
    ],
)
def test_runtime_is_chosen_by_processor_and_installation(
    wanted: Runtime, vnni: bool, installed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, vnni=vnni)
    monkeypatch.setattr(runtimes, "onnxruntime_installed", lambda: installed)
    monkeypatch.setattr(runtimes, "onnxruntime_fault", lambda: "" if installed else "Missing.")
    assert choose_runtime(wanted) == chosen


def test_missing_runtime_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, vnni=False, installed=False)
    with pytest.raises(PresetError, match=r"pip install 'genrec\[onnxruntime\]'"):
        choose_runtime("onnxruntime")


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of packages, first on the path, whose onnxruntime cannot be imported.

    A worker may read it, because of its name.
    """
    packages = tmp_path / "site-packages"
    for name in ("onnx", "onnxruntime"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("raise ImportError('libstdc++ is missing')\n")
    for name in list(sys.modules):
        if name.startswith(("onnx", "genrec.onnx")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(packages))
    return packages


@pytest.mark.usefixtures("broken")
def test_onnxruntime_that_cannot_be_loaded_is_replaced_or_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, vnni=False)
    network = ROOT / "models/resnet50/model.tflite"
    assert open_network(network).runtime == "litert"
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "cannot be loaded (ImportError: libstdc++ is missing)" in record.getMessage()
    for load in (choose_runtime, lambda wanted: open_network(network, runtime=wanted)):
        with pytest.raises(PresetError, match=r"libstdc\+\+ is missing.*choose the runtime litert"):
            load("onnxruntime")


@needs_onnxruntime
def test_network_of_other_operators_runs_in_litert(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from genrec import onnx_network

    pretend(monkeypatch, vnni=False)
    network = ROOT / "models/resnet50/model.tflite"
    assert open_network(network).runtime == "onnxruntime"
    monkeypatch.delitem(onnx_network._CONVERTERS, "ADD")
    assert open_network(network).runtime == "litert"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "operator ADD" in caplog.text
    with pytest.raises(PresetError, match=r"operator ADD: expected one of CONV_2D.*runtime litert"):
        open_network(network, runtime="onnxruntime")


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", False),
        ("flags\t\t: fpu avx2 avx_vnni\n", False),
        ("flags\t\t: fpu avx2 avx512f\n", True),
        ("flags\t\t: fpu sse4_2\n", True),
        ("Features\t: fp asimd asimddp\n", False),
        ("", False),
    ],
)
def test_flags_of_a_processor_tell_whether_it_lacks_vnni(text: str, lacks: bool) -> None:
    assert processor.flags_lack_vnni(text) is lacks


def test_other_architectures_lack_no_vnni(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2\n")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    for machine, lacks in (("aarch64", False), ("x86_64", True)):
        processor.lacks_vnni.cache_clear()
        monkeypatch.setattr(processor.platform, "machine", lambda: machine)  # noqa: B023
        assert processor.lacks_vnni() is lacks
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "missing")
    processor.lacks_vnni.cache_clear()
    assert not processor.lacks_vnni()
    processor.lacks_vnni.cache_clear()


@needs_onnxruntime
async def test_worker_runs_onnxruntime_in_its_sandbox(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.flac", music(1, 12.0, 22050), 22050)
    analyses = {}
    wanted: tuple[Runtime, ...] = ("litert", "onnxruntime")
    for runtime in wanted:
        async with AnalysisPool(ROOT / "models/resnet50", workers=1, runtime=runtime) as pool:
            assert not pool.runtime
            analyses[runtime] = await pool.analyze(path)
            assert pool.runtime == runtime
            assert all(measure.in_force for measure in pool.measures if measure.vital)
    litert, other = analyses.values()
    assert litert.embedding @ other.embedding > 0.9995
    assert litert.scores[0].label == other.scores[0].label
    assert litert.model_id == other.model_id


OLD_PROCESSOR = """
from pathlib import Path

from genrec import processor

processor._CPUINFO = Path(__file__).with_name("cpuinfo")

from genrec.pipeline import load_analyzer
"""


async def chosen_in_a_worker(packages: Path, monkeypatch: pytest.MonkeyPatch, flags: str) -> str:
    """Return the runtime that ``auto`` takes in a sandboxed worker on a processor with flags."""
    packages.mkdir(exist_ok=True)
    (packages / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    (packages / "old_processor.py").write_text(OLD_PROCESSOR)
    monkeypatch.syspath_prepend(str(packages))
    async with AnalysisPool(
        ROOT / "models/resnet50", workers=1, analyzer="old_processor:load_analyzer"
    ) as pool:
        path = write(packages.parent / "clip.flac", music(1, 12.0, 22050), 22050)
        assert (await pool.analyze(path)).scores
        assert all(measure.in_force for measure in pool.measures if measure.vital)
        return pool.runtime


@on_x86_64
@needs_onnxruntime
@pytest.mark.parametrize(
    ("flags", "chosen"), [("fpu avx2", "onnxruntime"), ("fpu avx2 avx_vnni", "litert")]
)
async def test_worker_chooses_by_the_processor_in_its_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, chosen: str
) -> None:
    assert await chosen_in_a_worker(tmp_path / "site-packages", monkeypatch, flags) == chosen


@on_x86_64
async def test_worker_runs_litert_where_onnxruntime_cannot_be_loaded(
    broken: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await chosen_in_a_worker(broken, monkeypatch, "fpu avx2") == "litert"
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "LiteRT runs the network, more slowly" in warnings[0]
    assert "ImportError: libstdc++ is missing" in warnings[0]


@pytest.mark.skipif(onnxruntime_installed(), reason="the extra onnxruntime is installed")
async def test_worker_without_the_extra_names_it() -> None:
    async with AnalysisPool(ROOT / "models/resnet50", workers=1, runtime="onnxruntime") as pool:
        with pytest.raises(PresetError, match=r"genrec\[onnxruntime\]"):
            await pool.warm()
