"""Names of songs as pages of music sites write them, and the readings of each."""

from __future__ import annotations

import pytest

from genrec.page_titles import MAX_READINGS, SongName, channel_artist, clean_title, readings

# Title and author of a page with an account's name, and the artist and title they mean. The
# bands and songs are invented; the forms are those of real pages.
UPLOADED = [
    ("Some Band - A Song", "somebody", "Some Band", "A Song"),
    ("Some Band - A Song (Official Video)", "SomeBandVEVO", "Some Band", "A Song"),
    ("Some Band - A Song (Official Music Video)", "Some Band", "Some Band", "A Song"),
    ("Some Band - A Song [Official HD Video]", "Label", "Some Band", "A Song"),
    ("Some Band - A Song [Official Music Video] (4K Remaster)", "Label", "Some Band", "A Song"),
    ("Some Band – A Song (Lyric Video)", "Label", "Some Band", "A Song"),
    ("Some Band — A Song (Lyrics)", "Lyrics 4 You", "Some Band", "A Song"),
    ("Some Band ‒ A Song", "Label", "Some Band", "A Song"),
    ("Some Band- A Song", "Label", "Some Band", "A Song"),
    ("Some Band - A Song | Official Video", "Label", "Some Band", "A Song"),
    ("Some Band - A Song | Label Records | 2019", "Label Records", "Some Band", "A Song"),
    ("Some Band - A Song (Official Audio) HQ", "Label", "Some Band", "A Song"),
    ("Some Band - A Song Official Video HD", "Label", "Some Band", "A Song"),
    ("Some Band - A Song with lyrics", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (Visualizer)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (Clip Officiel)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (Videoclip Oficial)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (Offizielles Musikvideo)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (Video Ufficiale)", "Label", "Some Band", "A Song"),
    ("Группа - Песня (Официальное видео)", "Группа", "Группа", "Песня"),
    ("Some Band - A Song (From the Album \"Long Player\")", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (prod. by Someone)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song [FREE DOWNLOAD]", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (1987)", "Label", "Some Band", "A Song"),
    ("Some Band - A Song (1987) (Official Video)", "Label", "Some Band", "A Song"),
    ("Some Band - \"A Song\" (Official Video)", "Label", "Some Band", "A Song"),
    ("Some Band \"A Song\"", "Label", "Some Band", "A Song"),
    ("Some Band “A Song” (Live on TV)", "TV", "Some Band", "A Song"),
    ("Some Band: A Song", "Radio", "Some Band", "A Song"),
    ("Some Band | A Song", "Label", "Some Band", "A Song"),
    ("Some Band // A Song", "Label", "Some Band", "A Song"),
    ("01. Some Band - A Song", "Label", "Some Band", "A Song"),
    ("03 - Some Band - A Song", "Label", "Some Band", "A Song"),
    ("A Song", "Some Band - Topic", "Some Band", "A Song"),
    ("A Song (Remastered 2011)", "Some Band - Topic", "Some Band", "A Song (Remastered 2011)"),
    ("A Song", "Some Band", "Some Band", "A Song"),
    ("A Song (Official Video)", "SomeBandVEVO", "SomeBand", "A Song"),
    ("A Song", "Some Band Official", "Some Band", "A Song"),
    ("A Song by Some Band", "Uploads", "Some Band", "A Song"),
    ("BAND (밴드) 'Song' MV", "LABEL", "BAND (밴드)", "Song"),
    ("BAND (밴드) 'Song' Official MV", "LABEL", "BAND (밴드)", "Song"),
    ("バンド「歌」Official Music Video", "バンド", "バンド", "歌"),
    ("バンド『歌』Music Video", "バンド", "バンド", "歌"),
    ("バンド【歌】", "レーベル", "バンド", "歌"),
    ("バンド - 歌 【公式】", "レーベル", "バンド", "歌"),
    ("樂團 - 歌【動態歌詞】", "頻道", "樂團", "歌"),
    ("Ｂａｎｄ／歌", "レーベル", "Ｂａｎｄ", "歌"),
    ("Some Band - It's 'Mine' Now HD", "Label", "Some Band", "It's 'Mine' Now"),
    ("Some Band - Video", "Label", "Some Band", "Video"),
    ("Some Band - A Song feat. Guest (Official Video)", "L", "Some Band", "A Song feat. Guest"),
    ("Some Band ft. Guest - A Song", "Label", "Some Band ft. Guest", "A Song"),
    ("Some Band - A Song (Club Remix) [Official]", "L", "Some Band", "A Song (Club Remix)"),
    ("Some-Band - A-Song", "Label", "Some-Band", "A-Song"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "author", "artist", "song"), UPLOADED)
def test_uploaded_title_has_the_meant_reading(
    title: str, author: str, artist: str, song: str
) -> None:
    found = [(name.artist, name.title) for name in readings(title, author, uploader=True)]
    assert found[0] == (artist, song)


def test_title_before_its_artist_is_a_later_reading() -> None:
    assert SongName("A Song", "Some Band") in readings("A Song - Some Band", "x", uploader=True)
    assert SongName("歌", "バンド") in readings("歌 / バンド", "x", uploader=True)


def test_artist_of_the_site_is_believed() -> None:
    assert readings("A Song", "Some Band") == (SongName("A Song", "Some Band"),)
    assert readings("One - Two", "Some Band") == (SongName("One - Two", "Some Band"),)
    assert readings("Some Band - A Song", "Some Band")[0] == SongName("A Song", "Some Band")


@pytest.mark.parametrize("title", ["", "   ", "- | -", "🔥🔥", "()"])
def test_title_without_a_letter_has_no_reading(title: str) -> None:
    assert readings(title, "Some Band", uploader=True) == ()


def test_title_of_additions_alone_is_kept() -> None:
    assert clean_title("Official Video") == "Official Video"
    assert readings("(Official Video)", "Some Band - Topic", uploader=True)[0].title


@pytest.mark.parametrize(
    ("channel", "artist"),
    [
        ("Some Band - Topic", "Some Band"),
        ("SomeBandVEVO", "SomeBand"),
        ("Some Band Official", "Some Band"),
        ("Some Band Official Artist Channel", "Some Band"),
        ("Official", "Official"),
        ("Topic", "Topic"),
        ("VEVO", "VEVO"),
    ],
)
def test_channel_is_named_after_its_artist(channel: str, artist: str) -> None:
    assert channel_artist(channel) == artist


def test_hostile_titles_are_read_in_time() -> None:
    for part in ("(", "[(", " - ", "((a)", "| ", "'", "「", "official video ", "1. ", " by "):
        assert len(readings(part * 5000, part * 5000, uploader=True)) <= MAX_READINGS
