"""Recommendations: never the clip itself, no song twice, artists varied, a note when few."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.recommender import NO_MUSIC, Recommender
from db import folders
from db.choose_neighbours import choose_neighbours
from db.connection import Database, open_db
from db.generations import NewTrack
from genrec.errors import CatalogueError, NoMusic
from genrec.preset import Preset
from genrec.questions import SCOPES, Question, Rules
from genrec.types import Analysis, Clip, GenreScore, Recommendation, Track
from tests.db.postgres_server import database_in
from tests.repository import ROOT

pytestmark = pytest.mark.engines
PRESET = Preset.load(ROOT / "models" / "resnet50")


class FakePool:
    """Returns the analysis that a test sets, and lists the analysed files."""

    def __init__(self) -> None:
        self.analyzed: list[Path] = []
        self.analysis = analysis(toward(0))

    async def analyze(self, path: Path) -> Analysis:
        self.analyzed.append(path)
        return self.analysis


def toward(*axes: float) -> np.ndarray:
    """Return the unit vector with these first coordinates; one number names an axis."""
    x = np.zeros(PRESET.dimension, dtype=np.float32)
    if len(axes) == 1:
        x[int(axes[0])] = 1
    else:
        x[: len(axes)] = axes
    return x / np.linalg.norm(x)


def fingerprint(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-90, 90, (15, 190)).astype(np.int8)


def analysis(embedding: np.ndarray, *, sure: float = 0.9, seed: int = 999) -> Analysis:
    rest = (1 - sure) / (len(PRESET.labels) - 1)
    scores = tuple(
        GenreScore(label, sure if i == 0 else rest) for i, label in enumerate(PRESET.labels)
    )
    return Analysis(
        PRESET.model_id, embedding, scores, fingerprint(seed), 30.0, 30.0, {"decode": 1}
    )


def track(number: int, embedding: np.ndarray, **changes: str) -> NewTrack:
    given = {"title": f"Song {number}", "artist": f"Artist {number}", "label": "jazz", **changes}
    return NewTrack(
        title=given["title"],
        artist=given["artist"],
        genre=given["label"],
        label=given["label"],
        embedding=embedding,
        fingerprint=fingerprint(number),
        source=f"/music/{number}.mp3",
    )


def near(number: int, **changes: str) -> NewTrack:
    """Make a track whose cosine to axis 0 falls slowly with its number."""
    angle = 0.002 * number
    return track(number, toward(np.cos(angle), np.sin(angle)), **changes)


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(database_in(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def recommender(pool: FakePool, db: Database) -> Recommender:
    """Make a recommender over an empty catalogue; ``open`` would serve the starter tracks."""
    index = await choose_neighbours(db, PRESET.model_id)
    return Recommender(pool=pool, database=db, preset=PRESET, index=index)


CLIP = Clip(Path("/tmp/clip.wav"), "ab" * 32)


async def titles(recommender: Recommender, clip: Clip = CLIP, **options: object) -> list[str]:
    rec = await recommend(recommender, clip, **options)
    return [neighbour.track.title for neighbour in rec.tracks]


async def recommend(recommender: Recommender, clip: Clip = CLIP, **options: Any) -> Recommendation:
    return await answer(recommender, await recommender.analyze(clip), clip, **options)


async def answer(
    recommender: Recommender, made: Analysis, clip: Clip = CLIP, **rules: Any
) -> Recommendation:
    """Ask with a clip."""
    return await recommender.answer(Question((recommender.clip_seed(made, clip),), Rules(**rules)))


async def like(recommender: Recommender, seed: Track, **rules: Any) -> Recommendation:
    """Ask with a track."""
    return await recommender.answer(Question((await recommender.track_seed(seed),), Rules(**rules)))


async def serve(recommender: Recommender, *tracks: NewTrack, scope: str = "library") -> list[int]:
    return await recommender.catalogue.add(scope, PRESET.model_id, tracks)


async def test_fresh_install_recommends_starter_tracks(recommender: Recommender) -> None:
    await recommender.open()
    starter = PRESET.starter()
    assert starter is not None
    starter_analysis = analysis(starter.embeddings[10], seed=1)
    recommender._pool.analysis = starter_analysis
    rec = await recommend(recommender)
    assert len(rec.tracks) == 5
    assert all(neighbour.track.artist for neighbour in rec.tracks)
    assert {neighbour.track.scope for neighbour in rec.tracks} == {"starter"}
    similarities = [neighbour.similarity for neighbour in rec.tracks]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)


async def test_recommend_leaves_out_the_clips_own_recording(
    recommender: Recommender, pool: FakePool
) -> None:
    await serve(recommender, *(near(i) for i in range(1, 8)))
    pool.analysis = analysis(toward(0), seed=1)  # the fingerprint of track 1
    assert await titles(recommender) == [f"Song {i}" for i in range(2, 7)]


async def test_recommend_takes_one_version_and_one_track_an_artist(
    recommender: Recommender,
) -> None:
    await serve(
        recommender,
        near(1, artist="The Beatles", title="Help!"),
        near(2, artist="Beatles", title="Help! (Remastered 2009)"),
        near(3, artist="Beatles", title="Yesterday"),
        near(4),
    )
    assert await titles(recommender) == ["Help!", "Song 4"]
    assert await titles(recommender, per_artist=2) == ["Help!", "Yesterday", "Song 4"]


async def test_recommend_with_few_near_tracks_has_a_note(recommender: Recommender) -> None:
    await serve(recommender, near(1), track(2, toward(5)), track(3, -toward(0)))
    rec = await recommend(recommender)
    assert [neighbour.track.title for neighbour in rec.tracks] == ["Song 1"]
    assert rec.note.startswith("Only 1 of 5:")


async def test_recommend_from_an_empty_catalogue_has_the_genre(recommender: Recommender) -> None:
    rec = await recommend(recommender)
    assert rec.tracks == ()
    assert rec.genre == PRESET.labels[0]
    assert rec.note.startswith("No track in the library")


async def test_unsure_genre_is_the_most_probable_one(
    recommender: Recommender, pool: FakePool
) -> None:
    pool.analysis = analysis(toward(0), sure=0.4)
    rec = recommender.genre(await recommender.analyze(CLIP))
    assert rec.unsure
    assert rec.genre == PRESET.labels[0]


@pytest.mark.parametrize(("sure", "unsure"), [(0.35, False), (0.25, True)])
async def test_unsure_follows_the_presets_threshold(
    pool: FakePool, db: Database, sure: float, unsure: bool
) -> None:
    calibration = replace(PRESET.calibration, unsure_below=0.3)
    preset = replace(PRESET, calibration=calibration)
    recommender = Recommender(pool=pool, database=db, preset=preset)
    made = analysis(toward(0), sure=sure)
    assert recommender.genre(made).unsure is unsure
    assert (await answer(recommender, made)).unsure is unsure


async def test_recommend_filters_by_genre_and_scope(recommender: Recommender) -> None:
    await serve(recommender, near(1), near(2, label="rock"))
    await serve(recommender, near(3), scope="guild:7")
    assert await titles(recommender) == ["Song 1", "Song 2"]
    assert await titles(recommender, genre="rock") == ["Song 2"]
    assert await titles(recommender, scopes=("guild:7",)) == ["Song 3"]


async def test_recommend_fetches_more_when_the_rules_use_candidates_up(
    recommender: Recommender,
) -> None:
    crowd = [near(i, artist="One Artist") for i in range(1, 120)]
    await serve(recommender, *crowd, near(121), near(122))
    assert await titles(recommender) == ["Song 1", "Song 121", "Song 122"]


async def test_same_bytes_are_analyzed_once(recommender: Recommender, pool: FakePool) -> None:
    await serve(recommender, near(1))
    first = await recommend(recommender)
    again = await recommend(recommender)
    assert len(pool.analyzed) == 1
    assert [n.track.id for n in again.tracks] == [n.track.id for n in first.tracks]
    assert again.scores == first.scores
    assert "decode" in first.timings_ms
    assert "decode" not in again.timings_ms


async def test_added_and_removed_tracks_count_at_once(recommender: Recommender) -> None:
    (first,) = await serve(recommender, near(1))
    assert await titles(recommender) == ["Song 1"]
    await serve(recommender, near(2))
    await recommender.catalogue.remove("library", [first])
    assert await titles(recommender) == ["Song 2"]


async def test_like_leaves_out_the_track_itself(recommender: Recommender) -> None:
    first, *_ = await serve(recommender, near(1), near(2), near(3, artist="Artist 1"))
    (seed,) = await recommender.tracks([first])
    rec = await like(recommender, seed, new_artists=False)
    assert rec.genre == "jazz"
    assert [n.track.title for n in rec.tracks] == ["Song 2", "Song 3"]


async def test_new_artists_only_leaves_out_the_seeds_artist_and_says_so(
    recommender: Recommender,
) -> None:
    first, *_ = await serve(recommender, near(1), near(2), near(3, artist="Artist 1"))
    (seed,) = await recommender.tracks([first])
    rec = await like(recommender, seed)
    assert [n.track.title for n in rec.tracks] == ["Song 2"]
    assert rec.left_out == ("artist",)
    assert rec.note.endswith("further ones are by an artist that you asked with.")


async def test_nearest_fetches_no_track_of_an_artist_that_is_left_out(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_one = [near(number, artist="Artist 1") for number in range(1, 300)]
    unwanted = [near(number, artist="Artist 2") for number in range(300, 400)]
    last, shown = near(400), near(401)
    ids = await serve(recommender, *of_one, *unwanted, last, shown)
    (first,) = await recommender.tracks(ids[:1])
    fetched: list[int] = []
    catalogue = type(recommender.catalogue)
    tracks = catalogue.tracks

    async def counted(self: Any, model_id: str, wanted: Any) -> dict[int, Track]:
        fetched.extend(wanted)
        return await tracks(self, model_id, wanted)

    monkeypatch.setattr(catalogue, "tracks", counted)
    rules = Rules(without_artists=frozenset({"artist 2"}), shown=frozenset(ids[-1:]))
    question = Question((await recommender.track_seed(first),), rules)
    fetched.clear()
    found = await recommender.nearest(question, 10)
    assert [each.track.title for each in found] == ["Song 400"]
    assert fetched == [ids[-2]]


async def test_like_starts_from_the_track_with_that_id(recommender: Recommender) -> None:
    tracks = (near(1), near(2, label="rock"), near(3, label="metal"))
    _, second, _ = await serve(recommender, *tracks)
    (seed,) = await recommender.tracks([second])
    assert (await like(recommender, seed)).genre == "rock"


async def test_like_a_removed_track_raises(recommender: Recommender) -> None:
    with pytest.raises(CatalogueError, match="no longer in the catalogue"):
        await like(recommender, Track(12345, "Song", "Artist", "jazz", ""))


async def test_like_leaves_out_a_track_without_fingerprint(recommender: Recommender) -> None:
    bare = replace(near(1, artist=""), fingerprint=None)
    (first, _) = await serve(recommender, bare, near(2))
    (seed,) = await recommender.tracks([first])
    rec = await like(recommender, seed)
    assert [n.track.title for n in rec.tracks] == ["Song 2"]


async def test_recommend_leaves_out_the_recording_of_a_short_cut(
    recommender: Recommender, pool: FakePool
) -> None:
    await serve(recommender, near(1), near(2))
    # 6 s, of which the last 5.5 s are the start of track 1: more than the least overlap of 5 s.
    column_s = 2 * PRESET.spectrogram.column_s  # two columns a byte
    before, common = round(0.5 / column_s), round(5.5 / column_s)
    cut = np.hstack([fingerprint(999)[:, :before], fingerprint(1)[:, :common]])
    pool.analysis = replace(analysis(toward(0)), fingerprint=cut)
    assert await titles(recommender) == ["Song 2"]


async def test_tracks_of_other_guilds_are_left_out(recommender: Recommender) -> None:
    (other_guild,) = await serve(recommender, near(1), scope="guild:8")
    (own,) = await serve(recommender, near(2), scope="guild:7")
    found = await recommender.tracks([other_guild, own, 9999], (*SCOPES, "guild:7"))
    assert [track.id for track in found] == [own]


async def test_is_empty_depends_on_the_scopes(recommender: Recommender) -> None:
    assert recommender.is_empty()
    (only,) = await serve(recommender, near(1), scope="guild:7")
    await recommender.reload()
    assert recommender.is_empty()
    assert not recommender.is_empty((*SCOPES, "guild:7"))
    await recommender.catalogue.remove("guild:7", [only])
    await recommender.reload()
    assert recommender.is_empty((*SCOPES, "guild:7"))


async def test_recommend_keeps_the_timings_of_the_analysis(recommender: Recommender) -> None:
    await serve(recommender, near(1))
    rec = await recommend(recommender)
    assert rec.timings_ms["decode"] == 1
    assert rec.timings_ms["search"] > 0
    assert set((await recommend(recommender)).timings_ms) == {"cache", "search"}


async def test_track_whose_file_was_deleted_is_not_recommended(
    recommender: Recommender, db: Database, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.mp3" for number in range(4)]
    for path in paths:
        path.write_bytes(b"music")
    async with db.transaction() as tx:
        await folders.register(tx, "library", str(tmp_path))
    tracks = [replace(near(n), source=str(path)) for n, path in enumerate(paths)]
    ids = await serve(recommender, *tracks)
    paths[1].unlink()
    assert await titles(recommender) == ["Song 0", "Song 2", "Song 3"]
    assert len(await recommender.tracks(ids)) == 3


def with_detector(recommender: Recommender, music_below: float = 0.5) -> Recommender:
    preset = recommender.preset
    calibration = replace(preset.calibration, music_below=music_below)
    recommender.preset = replace(preset, calibration=calibration)
    return recommender


async def test_clip_without_music_gets_no_genre_and_no_tracks(
    recommender: Recommender, pool: FakePool
) -> None:
    await serve(recommender, near(1), near(2))
    pool.analysis = replace(analysis(toward(0)), music=0.03)
    rec = await recommend(with_detector(recommender))
    assert (rec.music, rec.music_probability, rec.genre, rec.unsure) == (False, 0.03, None, False)
    assert (rec.tracks, rec.scores) == ((), ())
    assert rec.note == NO_MUSIC
    with pytest.raises(NoMusic, match="no music"):
        recommender.require_music(pool.analysis)


@pytest.mark.parametrize("music", [0.5, 1.0])
async def test_clip_at_the_threshold_is_music(
    recommender: Recommender, pool: FakePool, music: float
) -> None:
    await serve(recommender, near(1), near(2))
    pool.analysis = replace(analysis(toward(0)), music=music)
    rec = await recommend(with_detector(recommender), count=2)
    assert (rec.music, rec.music_probability, len(rec.tracks)) == (True, music, 2)
    recommender.require_music(pool.analysis)


async def test_every_clip_is_music_without_a_detector(
    recommender: Recommender, pool: FakePool
) -> None:
    pool.analysis = replace(analysis(toward(0)), music=0.0)
    assert with_detector(recommender, 0.0).genre(pool.analysis).music


async def known(recommender: Recommender, **wanted: object) -> str | None:
    """Return the title of the track that is the clip's own recording."""
    rec = await recommend(recommender, **wanted)
    return rec.known.title if rec.known else None


async def test_recommend_names_the_track_of_the_clips_recording(
    recommender: Recommender, pool: FakePool
) -> None:
    await serve(recommender, near(1), near(2))
    assert await known(recommender) is None
    pool.analysis = analysis(toward(0), seed=1)
    pool.analyzed.clear()
    found = await answer(recommender, pool.analysis)
    assert found.known is not None
    assert found.known.title == "Song 1"
    assert [n.track.title for n in found.tracks] == ["Song 2"]


async def test_recommend_names_a_known_track_of_another_genre_than_the_wanted(
    recommender: Recommender,
) -> None:
    await serve(recommender, near(1, label="rock"), near(2, label="metal"))
    rec = await answer(recommender, analysis(toward(0), seed=1), CLIP, genre="metal")
    assert rec.known is not None
    assert rec.known.title == "Song 1"
    assert [n.track.title for n in rec.tracks] == ["Song 2"]


async def test_recommend_names_no_track_of_another_guild(recommender: Recommender) -> None:
    await serve(recommender, near(1), scope="guild:8")
    clip = analysis(toward(0), seed=1)
    assert (await answer(recommender, clip)).known is None
    theirs = await answer(recommender, clip, CLIP, scopes=(*SCOPES, "guild:8"))
    assert theirs.known is not None


async def test_recommend_prefers_the_known_copy_with_an_artist(recommender: Recommender) -> None:
    bare = replace(near(1, artist=""), title="Untagged", source="/untagged.mp3")
    await serve(recommender, bare, near(1))
    rec = await answer(recommender, analysis(toward(0), seed=1))
    assert rec.known is not None
    assert rec.known.title == "Song 1"


async def test_recommend_names_a_known_track_that_many_others_are_nearer_than(
    recommender: Recommender,
) -> None:
    await serve(recommender, *(near(number) for number in range(1, 101)))
    rec = await answer(recommender, analysis(toward(0), seed=100))
    assert rec.known is not None
    assert rec.known.title == "Song 100"


async def test_fallback_scopes_serve_only_where_the_others_have_nothing_near(
    recommender: Recommender,
) -> None:
    await serve(recommender, near(1), scope="starter")
    await serve(recommender, track(2, toward(3)))
    rec = await recommend(recommender, scopes=("library",), fallback=("starter",))
    assert [neighbour.track.title for neighbour in rec.tracks] == ["Song 1"]
    assert rec.fallback
    await serve(recommender, near(3))
    rec = await recommend(recommender, scopes=("library",), fallback=("starter",))
    assert [neighbour.track.title for neighbour in rec.tracks] == ["Song 3"]
    assert not rec.fallback


async def test_fallback_of_a_seed_keeps_the_note_where_nothing_is_near(
    recommender: Recommender,
) -> None:
    ids = await serve(recommender, track(1, toward(3)))
    seed = (await recommender.tracks(ids))[0]
    await serve(recommender, track(2, toward(5)), scope="starter")
    rec = await like(recommender, seed, scopes=("library",), fallback=("starter",))
    assert not rec.tracks
    assert not rec.fallback
    assert rec.note == "No track in the library is similar enough."
    await serve(recommender, track(3, toward(0, 0, 0.1, 1)), scope="starter")
    rec = await like(recommender, seed, scopes=("library",), fallback=("starter",))
    assert [neighbour.track.title for neighbour in rec.tracks] == ["Song 3"]
    assert rec.fallback
