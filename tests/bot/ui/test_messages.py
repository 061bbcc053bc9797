"""Layouts of responses and messages: Discord's limits, escaping and content."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.i18n import ENGLISH, LANGUAGES, Localizer, Translations
from bot.local_discord.message_components import BUTTON, FILE, MEDIA_GALLERY, walk
from bot.local_discord.message_limits import MAX_COMPONENTS
from bot.local_discord.schema import Schema
from bot.radio_station import RadioList
from bot.ui import answer, compact, for_you_pages, messages, mix_layouts
from bot.ui.components import GENRE_COLOURS, UNSURE
from bot.ui.custom_ids import DetailsSource
from bot.ui.markdown import escape
from bot.ui.messages import STAGES, Limits, ReindexState
from bot.ui.mix_layouts import BasketLine, MixHead
from bot.ui.not_again_pages import not_again_list
from bot.ui.radio_pages import RadioPages, head_text, page
from bot.ui.reasons import CLOSENESS
from bot.ui.track_links import SEARCH_LINKS
from bot.ui.vote_panel import RatedTrack, VotePanel, vote_panel
from db.feedback import RankedTrack
from db.not_again import NotAgain
from genrec import errors
from genrec.questions import Seed
from genrec.types import GenreScore, Neighbour
from tests.bot.ui.visible import (
    HOSTILE,
    LONG,
    ZALGO,
    assert_harmless,
    body,
    components,
    custom_ids,
    recommendation,
    seen,
    track,
)

TRANSLATIONS = Translations.load()
LIMITS = Limits(min_seconds=1.0, max_minutes=20, max_mb=25)
SECTION, CONTAINER = 9, 17
KEY = "k" * 80


def localizer(locale: str) -> Localizer:
    """Return a localizer of the shipped translations."""
    return Localizer(TRANSLATIONS, locale)


def response(rec=None, locale="en-US", **options):
    """Return a response to /recommend; any option may be changed."""
    defaults = {
        "key": "abc",
        "name": "clip.mp3",
        "count": 5,
        "analyzed_s": 30.0,
        "picture": "A spectrogram",
    }
    return answer.recommendation(
        localizer(locale), rec or recommendation(), **{**defaults, **options}
    )


def genre(first: float = 0.8, locale="en-US", *, unsure=False, **options):
    """Return a response to /genre with ``first`` as the probability of jazz."""
    scores = (GenreScore("jazz", first), GenreScore("blues", 1 - first))
    rec = recommendation(0, genre="jazz", scores=scores, unsure=unsure)
    defaults = {"key": "x", "name": "clip.mp3", "analyzed_s": 30.0}
    return answer.genre(localizer(locale), rec, **{**defaults, **options})


def rating_layouts(locale: str, rec, name: str):
    """Yield the layouts of ratings, /foryou and /notagain."""
    tracks = [each.track for each in rec.tracks]
    rated = [
        RatedTrack(track, RankedTrack(track.id, rank, ("genre", "tempo")), 1 - rank % 3)
        for rank, track in enumerate(tracks, 1)
    ]
    panel = VotePanel(2**63 - 1, rated, {f"s{tracks[0].id}"}, {f"a{tracks[0].id}"})
    yield vote_panel(localizer(locale), panel, "Saved.")
    yield vote_panel(localizer(locale), VotePanel(1, ()), "Saved.", failed=True)
    because = {track.id: tracks[0] for track in tracks}
    options = {"key": KEY, "groups": 3, "because": because, "links": SEARCH_LINKS}
    yield for_you_pages.for_you(localizer(locale), rec, **options)
    yield for_you_pages.for_you(localizer(locale), recommendation(0), **options, private=False)
    yield for_you_pages.ask(localizer(locale), 10, "reggae")
    yield for_you_pages.too_few(localizer(locale), 1, 3)
    entries = [NotAgain(1, name or "x", track_id=1), NotAgain(2, name or "x", artist_key="x")]
    yield not_again_list(localizer(locale), entries * 20, entries * 20)


def seed_layouts(locale: str, rec, name: str, tracks):
    """Yield the layouts of /mix and /radio, and those of ratings."""
    notes = dict.fromkeys(range(1, 6), escape(name, 30))
    head = MixHead(escape(name, 50), notes)
    yield response(rec, locale, seed=head, key=KEY, count=10)
    yield compact.recommendation(
        localizer(locale), rec, source=None, key=KEY, name="", count=10, seed=head
    )
    lines = [BasketLine(number, name, number % 2 == 0) for number in range(5)]
    yield mix_layouts.basket(localizer(locale), lines, minutes=15)
    yield mix_layouts.basket(localizer(locale), (), minutes=15)
    seeds = [Seed(np.ones(1), title=name, liked=number < 4) for number in range(5)]
    songs = RadioList(tuple(each.track for each in tracks), 30, 1, 4, "similar", fallback=True)
    above = head_text(localizer(locale), songs, seeds, playlist=False)
    pages = RadioPages.of(above, range(10**9, 10**9 + 100), "radio.jspf")
    shown = [each.track for each in tracks]
    yield page(localizer(locale), pages, 3, shown, SEARCH_LINKS)
    yield from rating_layouts(locale, rec, name)


def all_layouts(locale: str, name: str = "song.mp3", count: int = 5):
    """Yield every layout of answer.py and messages.py once."""
    tracks = tuple(
        Neighbour(track(i, title=name, artist=name, genre=name), 0.8) for i in range(1, count + 1)
    )
    rec = recommendation(tracks=tracks, note=name, model_id=name)
    yield response(rec, locale, name=name, key=KEY, count=10)
    yield response(rec, locale, seed=track(99, title=name, artist=name, genre=name), picture="")
    known = track(98, title=name, artist=name, genre=name)
    yield response(recommendation(tracks=tracks, known=known), locale, name=name, key=KEY, count=10)
    yield response(recommendation(0, scores=()), locale, name=name)
    yield genre(locale=locale, key=KEY, name=name, picture=name[:1000])
    yield answer.no_music(localizer(locale), key=KEY, name=name, analyzed_s=12.0)
    clip = {"source": DetailsSource(sha256="ab" * 32), "key": "1.2.3", "name": name, "count": 10}
    rec = recommendation(tracks=tracks, known=known, unsure=True)
    yield compact.recommendation(localizer(locale), rec, **clip)
    yield compact.recommendation(
        localizer(locale), rec, **clip | {"source": DetailsSource(track_id=99)}, seed=known
    )
    yield compact.recommendation(localizer(locale), recommendation(0, scores=()), **clip)
    yield from seed_layouts(locale, rec, name, tracks)
    for stage in STAGES:
        yield messages.progress(localizer(locale), stage, place=3)
    for code in error_classes():
        yield messages.refusal(localizer(locale), code(name), LIMITS)
        refused = [(name, code(name))] * 5
        yield messages.not_answered(localizer(locale), refused, LIMITS, left_out=3)
    for key in TRANSLATIONS.by_code[ENGLISH].texts:
        part, _, rest = key.partition(".")
        if part in ("refusals", "notices"):
            make = messages.decline if part == "refusals" else messages.notice
            untrusted = (
                "title", "artist", "genre", "id", "server", "old_title", "old_artist", "model",
                "song", "name", "near", "menu",
            )  # fmt: skip
            values = dict.fromkeys(untrusted, name)
            values |= {"channel": messages.Markup("#music"), "permissions": "Attach Files"}
            values |= {"site": "YouTube", "placeholders": "title", "limit": 200}
            values |= {"low": "20", "high": "400", "known": 801, "more": 3}
            values |= {"example": messages.Markup("`https://music.example/`"), "path": "path"}
            yield make(localizer(locale), rest, count=3, done=1, total=2, **values)
    yield messages.apology(localizer(locale), name)
    yield messages.attached(localizer(locale), "tracks.m3u8", count=5)
    yield messages.attached(localizer(locale), "tracks.csv", count=5, total=9)
    yield messages.imported(localizer(locale), new=1, known=2, refused=3)
    state = ReindexState("library", 120, 1000, 3, 4, 5, 6, 60.0, 400.0, name)
    yield messages.reindex_progress(localizer(locale), state, key=KEY)
    yield messages.reindex_progress(localizer(locale), ReindexState("server"), key=KEY)
    yield messages.reindex_failures(localizer(locale), "failures.csv")
    yield messages.reindex_done(localizer(locale), state, cancelled=True)
    yield messages.reindex_done(localizer(locale), ReindexState("server"), cancelled=True)


def error_classes() -> list[type[errors.GenrecError]]:
    """Return GenrecError and its subclasses in genrec.errors that have a code of their own."""
    classes = [errors.GenrecError]
    for cls in classes:
        classes += [sub for sub in cls.__subclasses__() if sub.__module__ == "genrec.errors"]
    return [cls for cls in classes if "code" in vars(cls)]


@pytest.mark.parametrize("code", LANGUAGES)
def test_full_lists_of_long_names_end_with_the_way_to_change_them(code):
    entries = [NotAgain(1, "W*" * 60, track_id=1)] * 30
    shown = seen(not_again_list(localizer(code), entries, entries))
    assert len(shown) <= 4000
    assert localizer(code)("not_again.how") in shown


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["", HOSTILE, LONG], ids=["none", "hostile", "long"])
def test_layouts_keep_discords_limits_and_are_harmless(code, name):
    layouts = [body(view) for view in all_layouts(code, name)]
    assert len(layouts) > 60
    for message in layouts:
        for component in walk(message["components"]):
            if "content" in component:
                assert_harmless(component["content"])


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", [HOSTILE, LONG, "*" * 500], ids=["hostile", "long", "stars"])
@pytest.mark.parametrize("count", [1, 9, 10])
def test_recommendation_of_any_length_keeps_discords_limits(code, name, count):
    assert body(next(all_layouts(code, name, count)))["components"]  # body checks the limits


@pytest.mark.parametrize("name", [HOSTILE, LONG, "*" * 500, "曲" * 300])
def test_ten_tracks_for_a_user_keep_discords_limits(name):
    tracks = recommendation(10).tracks
    named = tuple(
        replace(each, track=replace(each.track, title=name, artist=name)) for each in tracks
    )
    rec = recommendation(tracks=named)
    for locale in LANGUAGES:
        for view in rating_layouts(locale, rec, name):
            assert body(view)["components"]


async def test_layouts_are_stopped():
    assert all(view.is_finished() for view in all_layouts("en-US"))


@pytest.mark.shared
def test_layouts_match_discords_schema(shared: Path):
    schema = Schema(shared / "discord" / "openapi.json")
    for view in [*all_layouts("de"), *all_layouts("en-US", HOSTILE, 10)]:
        faults = schema.request_errors("POST", "/channels/{channel_id}/messages", body(view))
        assert faults == []


@pytest.mark.parametrize("seed", [None, track(9), MixHead("Mix", {1: "near"})])
@pytest.mark.parametrize("listen", [False, True])
def test_ten_tracks_stay_within_the_component_limit(seed, listen):
    links = replace(SEARCH_LINKS, listen=listen)
    rec = recommendation(10, timings_ms={"total": 900.0}, fallback=True, known=track(8))
    view = response(rec, count=10, seed=seed, links=links)
    assert len(list(walk(body(view)["components"]))) <= MAX_COMPONENTS
    options = {"key": KEY, "groups": 3, "because": {1: track(7)}, "links": links}
    view = for_you_pages.for_you(localizer("de"), rec, **options)
    assert len(list(walk(body(view)["components"]))) <= MAX_COMPONENTS
    assert ("listen" in str(body(view))) == listen


def test_recommendation_shows_genre_tracks_similarity_and_reason():
    text = seen(response())
    for expected in (
        "## Rock",
        "**Rock** 72%",
        "Metal 20%",
        "Blues 5%",
        "Analysed 30 s of **clip.mp3**",
        "5 similar tracks",
        "**1. [Song 1](https://www.youtube.com/results?search_query=Band+1+Song+1)**\nBand 1\n",
        "similarity 0.90 · same genre, very similar sound",
        "similarity 0.50 · same genre, similar sound",
        "Answered in 0.8 s",
    ):
        assert expected in text
    assert "vgg16" not in text
    assert "Pop" not in text  # the top three only
    assert "unsure" not in text.lower()


@pytest.mark.parametrize("code", sorted(TRANSLATIONS.by_code))
def test_known_recording_is_named_above_the_tracks(code):
    shown = seen(response(recommendation(known=track(9, title="Their *Song*")), code))
    search = "https://www.youtube.com/results?search_query="
    linked = f"Band 9, [Their \\*Song\\*]({search}Band+9+Their+%2ASong%2A)"
    sentence = localizer(code)("answer.known", name=linked)
    assert shown.index(sentence) < shown.index("Song 1")
    for artist in ("", "Unknown artist"):
        shown = seen(response(recommendation(known=track(9, artist=artist)), code))
        assert localizer(code)("answer.known", name=f"[Song 9]({search}Song+9)") in shown


def test_unknown_recording_is_not_named():
    assert "I know" not in seen(response(recommendation()))


def test_recommendation_has_buttons_picture_and_colour():
    view = response()
    assert custom_ids(view) == [
        *(f"more:{i}:{'.'.join(str(k) for k in range(1, 6) if k != i)}" for i in range(1, 6)),
        *("thumb:up:abc", "thumb:down:abc", "export:abc"),
    ]
    assert [b.get("label") for b in components(view, BUTTON)][:5] == ["More like this"] * 5
    assert components(view, CONTAINER)[0]["accent_color"] == GENRE_COLOURS["rock"]
    (item,) = components(view, MEDIA_GALLERY)[0]["items"]
    assert item["media"]["url"] == "attachment://spectrogram.png"
    assert item["description"] == "A spectrogram"
    assert components(response(picture=""), MEDIA_GALLERY) == []


def test_bar_length_follows_the_probability():
    lines = [line for line in seen(response()).splitlines() if line.startswith("`")]
    assert [line.count("█") for line in lines] == [9, 2, 1]
    assert {len(line.split("`")[1]) for line in lines} == {12}


def test_unsure_recommendation_has_its_heading_and_colour():
    view = response(recommendation(unsure=True))
    assert "## Unsure, perhaps Rock" in seen(view)
    assert "same genre" not in seen(view)
    assert components(view, CONTAINER)[0]["accent_color"] == UNSURE


@pytest.mark.parametrize(
    ("genre", "expected"),
    [
        ("rock", "same genre"),
        ("metal", "Metal, also possible for your clip"),
        ("blues", "genre: Blues"),  # 5 % is below MIN_PROBABILITY
        ("vapor_wave", r"genre: Vapor\_wave"),
    ],
)
def test_reason_depends_on_the_genres(genre, expected):
    rec = recommendation(tracks=(Neighbour(track(1, genre=genre), 0.6),))
    assert f" · {expected}, similar sound" in seen(response(rec, count=1))


def test_reason_without_genre_names_the_sound_only():
    rec = recommendation(tracks=(Neighbour(track(1, genre=""), 0.1),))
    assert "similarity 0.10 · only slightly similar sound" in seen(response(rec, count=1))


def test_closeness_covers_every_similarity():
    bounds = [minimum for minimum, _ in CLOSENESS]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] <= -1.0


def test_link_leads_to_the_source_or_to_a_search():
    page = track(1, source="https://www.soundcloud.com/x/y")
    file = track(2, title="Thunder & Co", artist="AC/DC", source="/music/private/a.flac")
    rec = recommendation(tracks=(Neighbour(page, 0.9), Neighbour(file, 0.8)))
    text = seen(response(rec))
    assert "**1. [Song 1](https://www.soundcloud.com/x/y)**" in text
    assert "similar sound · soundcloud.com" in text
    search = "https://www.youtube.com/results?search_query=AC%2FDC+Thunder+%26+Co"
    assert f"**2. [Thunder & Co]({search})**" in text
    assert "youtube.com\n" not in text
    assert "/music/private" not in text


def test_fewer_tracks_than_requested_show_a_note():
    assert "Only 2 tracks are similar enough." in seen(response(recommendation(2)))
    assert "Because of this." in seen(response(recommendation(2, note="Because of this.")))
    german = seen(response(recommendation(2, note="Because of this."), "de"))
    assert "Nur 2 Titel sind ähnlich genug." in german
    assert "Because" not in german
    assert "Only" not in seen(response(recommendation(2), count=2))


def test_no_tracks_show_a_note_and_no_export_button():
    view = response(recommendation(0))
    assert "No track is similar enough." in seen(view)
    assert custom_ids(view) == ["thumb:up:abc", "thumb:down:abc"]


def test_more_like_this_shows_its_seed_track():
    text = seen(response(recommendation(scores=()), seed=track(9), picture=""))
    assert "## Similar to Song 9" in text
    assert "Band 9 · Rock" in text
    metal = response(seed=track(9, genre="metal"), picture="")
    assert "genre: Rock" in seen(metal)
    assert "your clip" not in seen(metal)


def test_long_names_are_cut_before_links_are_dropped():
    tracks = tuple(Neighbour(track(i, title=LONG, artist=LONG), 0.8) for i in range(1, 6))
    text = seen(response(recommendation(tracks=tracks)))
    assert text.count("](https://www.youtube.com/results?search_query=") == 5
    ten = tuple(Neighbour(track(i, title=LONG, artist=LONG), 0.8) for i in range(1, 11))
    assert seen(response(recommendation(tracks=ten))).count("ウ") > 200


@pytest.mark.parametrize("key", ["", "k" * 81])
def test_key_of_wrong_length_raises_value_error(key):
    with pytest.raises(ValueError, match="key"):
        response(key=key)


def test_genre_shows_genre_probability_and_clip():
    text = seen(genre(locale="de", name="a.wav"))
    assert "## Jazz" in text
    assert "**Jazz** 80\u00a0%" in text
    assert "30 s von **a.wav** analysiert" in text


@pytest.mark.parametrize("first", [0.3, 0.8])
@pytest.mark.parametrize("unsure", [True, False])
def test_genre_is_unsure_by_the_flag_not_by_the_probability(first, unsure):
    assert ("Unsure" in seen(genre(first, unsure=unsure))) is unsure


def test_progress_shows_queue_place_and_stage():
    english = localizer("en-US")
    assert "position 3" in seen(messages.progress(english, "queued", place=3))
    assert "next in the queue" in seen(messages.progress(english, "queued", place=1))
    shown = {seen(messages.progress(english, stage)) for stage in STAGES}
    assert len(shown) == len(STAGES)
    with pytest.raises(ValueError, match="stage"):
        messages.progress(english, "sleeping")


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.code)
@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != ENGLISH])
def test_every_error_has_a_distinct_text_in_every_language(cls, code):
    sentence = messages.sentence(localizer(code), cls("English cause."), LIMITS)
    assert sentence
    assert "English" not in sentence
    others = [
        messages.sentence(localizer(code), other("x"), LIMITS)
        for other in error_classes()
        if other is not cls
    ]
    assert sentence not in others


def test_error_texts_name_the_limits():
    assert "25 MB" in messages.sentence(localizer("de"), errors.ClipTooLarge("x"), LIMITS)
    assert "20 Minuten" in messages.sentence(localizer("de"), errors.ClipTooLong("x"), LIMITS)
    assert "1 s" in messages.sentence(localizer("fr"), errors.ClipTooShort("x"), LIMITS)


def test_english_text_is_the_errors_own_for_input_only():
    short = errors.ClipTooShort("The clip is 0.3 s long; at least 1 s is needed. Send more.")
    assert messages.sentence(localizer("en-GB"), short, LIMITS) == str(short)
    preset = errors.PresetError("/srv/genrec/models/vgg16 has no config.json.")
    assert "/srv" not in messages.sentence(localizer("en-US"), preset, LIMITS)
    missing = errors.FileMissing("/tmp/genrec-1/clip is gone.")
    assert "/tmp" not in messages.sentence(localizer("en-US"), missing, LIMITS)


def test_unknown_error_code_uses_its_own_sentence():
    class Odd(errors.GenrecError):
        code = "odd"

    assert messages.sentence(localizer("de"), Odd("Odd *thing*."), LIMITS) == r"Odd \*thing\*."


def test_refusal_with_many_causes_adds_the_english_cause():
    error = errors.LinkRefused("Links to port 22 are not fetched.")
    german = seen(messages.refusal(localizer("de"), error, LIMITS))
    assert "genrec konnte von diesem Link nichts herunterladen." in german
    assert "-# Links to port 22 are not fetched." in german
    assert seen(messages.refusal(localizer("en-US"), error, LIMITS)) == str(error)
    assert "-#" not in seen(messages.refusal(localizer("de"), errors.SilentAudio("x"), LIMITS))


def test_refusal_and_notice_values_are_escaped():
    assert r"“a\*b”" in seen(messages.decline(localizer("en-US"), "genre_unknown", genre="a*b"))
    added = messages.notice(
        localizer("en-US"), "library_added", title="[x]", artist="@here", genre="Rock"
    )
    assert r"**\[x\]** by @" in seen(added)
    assert "3f2a" in seen(messages.apology(localizer("ja"), "3f2a"))


def test_reindex_progress_shows_percent_rate_time_left_file_and_cancel():
    state = ReindexState(
        "library", 250, 1000, failed=2, elapsed_s=50, left_s=150, current="a/b.mp3"
    )
    view = messages.reindex_progress(localizer("en-US"), state, key="library")
    text = seen(view)
    for expected in ("25%", "250 of 1,000 files", "5.0 per second", "2 min left", "now: a/b.mp3",
                  "2 files failed so far"):  # fmt: skip
        assert expected in text
    assert custom_ids(view) == ["cancel:library"]
    assert not components(messages.reindex_done(localizer("en-US"), state), FILE)
    listed = messages.reindex_failures(localizer("en-US"), "failures.csv")
    assert components(listed, FILE)[0]["file"]["url"] == "attachment://failures.csv"
    assert custom_ids(listed) == []


def test_reindex_result_counts_files_left_out_and_names_their_formats():
    formats = {"Monkey's Audio": 3, "MIDI": 1} | {f"Kind *{n}": 1 for n in range(20)}
    state = ReindexState("library", left_out=30, formats=formats)
    text = seen(messages.reindex_done(localizer("en-US"), state))
    assert "30 files were left out; the table gives the reasons." in text
    assert "Monkey's Audio: 3 · MIDI: 1 · Kind \\*0: 1" in text
    assert "Kind \\*6" not in text
    assert "left out" not in seen(messages.reindex_done(localizer("en-US"), ReindexState("server")))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("library", "The operator's music is unchanged."),
        ("server", "Tracks analysed so far are up to date"),
    ],
)
def test_cancelled_reindex_names_the_tracks_that_stay(scope, expected):
    done = messages.reindex_done(localizer("en-US"), ReindexState(scope, 2, 5), cancelled=True)
    assert "### Indexing cancelled\n" in seen(done)
    assert expected in seen(done)


def test_result_of_a_reindex_tells_of_moved_files_and_absent_folders():
    state = ReindexState("library", 5, 5, moved=3, absent=1)
    text = seen(messages.reindex_done(localizer("en-US"), state))
    assert "3 files have moved; their tracks stay." in text
    assert "One track is not recommended, because its folder is missing or empty." in text
    assert "have moved" not in seen(
        messages.reindex_done(localizer("en-US"), ReindexState("library"))
    )


def test_attached_shows_count_and_file():
    view = messages.attached(localizer("en-US"), "tracks.csv", count=1)
    assert "Exported one track." in seen(view)
    assert components(view, FILE)[0]["file"]["url"] == "attachment://tracks.csv"


def test_picture_file_has_name_and_alt_text():
    file = answer.picture_file(b"png", "Spektrogramm von a_b.mp3")
    assert file.filename == "spectrogram.png"
    assert file.description == "Spektrogramm von a_b.mp3"
    assert isinstance(file.fp, io.BytesIO)


@pytest.mark.parametrize("name", [HOSTILE, LONG, ZALGO, ""])
def test_label_is_one_plain_line_of_at_most_100_characters(name):
    label = messages.label(track(7, title=name, artist=name))
    assert 1 <= len(label) <= 100
    assert "\n" not in label
    assert "\u202e" not in label


def test_label_joins_title_and_artist():
    assert messages.label(track(7)) == "Song 7 — Band 7"
    assert messages.label(track(7, artist="")) == "Song 7"


@pytest.mark.parametrize("code", LANGUAGES)
def test_clips_without_an_answer_are_named_with_their_reasons(code):
    refused = [("one.mp3", errors.ClipTooLarge("90 MB")), ("two.mp3", errors.LinkRefused("gone"))]
    text = seen(messages.not_answered(localizer(code), refused, LIMITS, left_out=12))
    assert "**one.mp3**\n" in text
    assert "**two.mp3**\n" in text
    assert "12" in text
    alone = messages.not_answered(localizer(code), [], LIMITS, left_out=2)
    assert len(seen(alone).splitlines()) == 1


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_no_error_shows_a_path(code, cls):
    error = cls("The file /srv/My Music/secret.wav cannot be read.")
    text = seen(messages.refusal(localizer(code), error, LIMITS))
    assert text
    assert "secret" not in text


def test_unknown_error_code_with_a_path_uses_the_general_text():
    class Stranger(errors.GenrecError):
        code = "stranger"

    text = messages.sentence(localizer("en-US"), Stranger("/etc/genrec is gone."), LIMITS)
    assert "/etc" not in text
    assert "Something went wrong" in text
