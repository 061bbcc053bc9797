"""Read artist and title from the names that pages of music sites give a song."""

from __future__ import annotations

import re
from dataclasses import dataclass

from genrec.names import fold

MAX_READINGS = 8
_MAX_CHARS = 300

# Folded words of additions that say nothing about the song, such as "(Official Video) [4K]".
_NOISE = frozenset(
    """
    official officiel officielle oficial oficiais offizielles offizieller offizielle ufficiale resmi
    video videos videoclip videoclipe clip clipe musikvideo music musik audio lyric lyrics lyrical
    letra letras lirik paroles testo songtext visualizer visualiser visualizador performance
    hd hq uhd fhd hd1080 2k 4k 8k 480p 720p 1080p 1440p 2160p 60fps fps mv pv m v quality
    sound hires res uncensored download dl premiere exclusive color coded colour eng sub subs
    subtitulado subtitulada subtitulos legendado release remastered remaster ncs copyright
    公式 官方 完整版 高音質 歌詞 動態歌詞 歌詞付き 가사 뮤직비디오 공식
    клип официальный официальное видео текст
    """.split()  # noqa: SIM905 - a hundred words are easier to read this way
)
# Words that are an addition only beside one of the above.
_FILLER = frozenset(
    ("with", "and", "on", "in", "the", "of", "no", "new", "now", "out", "full", "high", "best",
     "free", "hi", "original", "screen", "english", "espanol", "60")
)  # fmt: skip
_NOISE_START = re.compile(
    r"^(?:prod(?:uced)?|dir(?:ected)?|shot|video|from the (?:album|ep|lp|film|movie|motion picture)"
    r"|taken from|off the album|as (?:seen|heard) (?:in|on)|aus dem album|de l album"
    r"|\d{4} (?:digital )?remaster(?:ed)?)\b|^\d{4}$"
)
_NOISE_END = re.compile(
    r"(?:[\s,|/\-\u2013\u2014]+(?:(?:the\s+)?(?:official|officiel|oficial|offizielles|ufficiale)"
    r"\s+(?:hd\s+|4k\s+|lyrics?\s+|music\s+|musik\s*|live\s+)?(?:video(?:clip|clipe)?|clip|audio|mv"
    r"|m/v|visuali[sz]er|lyrics?)|(?:video|clip)(?:clip)?\s+(?:oficial|officiel|ufficiale)"
    r"|(?:with\s+)?lyrics?(?:\s+video)?|music\s+video|visuali[sz]er"
    r"|official|m/v|mv|hd|hq|4k|1080p))+\s*$",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(\[{\u3010]([^()\[\]{}\u3010\u3011]{0,120})[)\]}\u3011]")
_WIDE = str.maketrans(
    dict(zip("（）［］｛｝〔〕｜：～", "()[]{}[]|:~", strict=True)) | {"／": " / ", "－": " - "}
)
_DASH = re.compile(r"\s+[-\u2010-\u2015\u2212]+\s*|\s*[-\u2010-\u2015\u2212]+\s+|\s*\u2014\s*")
_OTHER_SEPARATORS = (re.compile(r"\s*\|+\s*"), re.compile(r"\s+/+\s+"), re.compile(r":\s+"))
_QUOTES = tuple(
    (marks[0], marks[1])
    for marks in ('""', "\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb", "\u300c\u300d",
                  "\u300e\u300f", "\u3010\u3011", "\u2018\u2019", "''")
)  # fmt: skip
_BY = re.compile(r"^(.+)\s+(?:by|von|par|por|di|door)\s+(.+)$", re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{1,3}\s*[.)\-]\s+(?=\S)")
_TOPIC = re.compile(r"\s+-\s+topic$", re.IGNORECASE)
_CHANNEL = re.compile(
    r"(?:\s*VEVO|\s+(?:official(?:\s+(?:artist\s+)?channel)?|oficial|officiel|music channel))$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SongName:
    """Title and artist of a song; the artist is "" if it is not known."""

    title: str
    artist: str = ""


def readings(title: str, author: str = "", *, uploader: bool = False) -> tuple[SongName, ...]:
    """Return what a page's title may mean, the most probable reading first.

    Parameters
    ----------
    title
        The name that a page gives a song: "Artist - Title (Official Video)", "Title by Artist",
        "Artist 「Title」", or the title alone.
    author
        The artist, or the name of the account that uploaded the song; "" if not known.
    uploader
        True if ``author`` is an account's name and need not be the artist.

    Returns
    -------
    tuple of SongName
        At most 8 readings, without additions such as "(Official Video)"; none for a title without
        a letter or digit.
    """
    whole = title[:_MAX_CHARS].translate(_WIDE).strip()
    plain = clean_title(whole)
    if not fold(plain):
        return ()
    artist = channel_artist(author[:_MAX_CHARS]) if uploader else author[:_MAX_CHARS].strip()
    own = SongName(_without_artist(plain, artist), artist)
    if artist and (not uploader or _TOPIC.search(author)):
        return (own,) if own.title == plain else (own, SongName(plain, artist))
    found = [*_parts(plain), own]
    numbered = _NUMBERED.sub("", plain)
    if numbered != plain:
        found = [*_parts(numbered), SongName(_without_artist(numbered, artist), artist), *found]
    usable = [name for name in found if fold(name.title)]
    return tuple(dict.fromkeys(usable))[:MAX_READINGS]


def clean_title(title: str) -> str:
    """Return a page's title without additions such as "(Official Video)" and "| 4K"."""
    text = _BRACKETS.sub(lambda part: " " if _is_noise(part[1]) else part[0], title)
    text = text if fold(text) else title
    parts = re.split(r"\s*\|+\s*", text)
    kept = [part for part in parts if part and not _is_noise(part)]
    # Behind "Artist - Title | ..." come labels, albums and series.
    text = " | ".join(kept[:1] if kept and _DASH.search(kept[0].strip()) else kept) or text
    shorter = _NOISE_END.sub("", text).rstrip(" -|/,")
    if not fold(shorter) or shorter.endswith(("(", "[")):
        shorter = text
    return " ".join(shorter.split())


def channel_artist(channel: str) -> str:
    """Return the artist whose channel has a name such as "Artist - Topic" or "ArtistVEVO"."""
    name = channel.strip()
    shorter = _CHANNEL.sub("", _TOPIC.sub("", name)).strip()
    return shorter or name


def _parts(title: str) -> list[SongName]:
    """Return the readings of a title that names the artist too."""
    found: list[SongName] = []
    for left, right in (*_quoted(title), *_split(title, _DASH)):
        found.append(SongName(right, left))
    by = _BY.match(title)
    if by:
        found.append(SongName(by[1], by[2]))
    pairs = [pair for separator in _OTHER_SEPARATORS for pair in _split(title, separator)]
    found += [SongName(right, left) for left, right in pairs]
    # Some write the title first.
    found += [SongName(left, right) for left, right in (*_split(title, _DASH), *pairs)]
    return found


def _split(title: str, separator: re.Pattern[str]) -> list[tuple[str, str]]:
    parts = separator.split(title, maxsplit=1)
    if len(parts) != 2 or not fold(parts[0]) or not fold(parts[1]):
        return []
    return [(parts[0].strip(), _unquoted(parts[1].strip()))]


def _quoted(title: str) -> list[tuple[str, str]]:
    """Return artist and title of ``Artist "Title"``, which is usual in Japan and Korea."""
    for opening, closing in _QUOTES:
        start = title.find(opening, 1)
        end = title.find(closing, start + 1)
        before = title[:start].rstrip(" -\u2013\u2014:|,")
        # An apostrophe inside a word opens nothing.
        if 0 < start < end and fold(before) and (opening != "'" or title[start - 1] == " "):
            inside = title[start + 1 : end].strip()
            if fold(inside):
                return [(before, inside)]
    return []


def _unquoted(text: str) -> str:
    for opening, closing in _QUOTES:
        if len(text) > 2 and text[0] == opening and text[-1] == closing:
            return text[1:-1].strip()
    return text


def _without_artist(title: str, artist: str) -> str:
    """Return a title without the artist before it, as in "Artist - Title" by Artist."""
    for left, right in _split(title, _DASH):
        if artist and fold(left).replace(" ", "") == fold(artist).replace(" ", ""):
            return right
    by = re.fullmatch(rf"(.+) by {re.escape(artist)}", title, re.IGNORECASE) if artist else None
    return by[1] if by else title


def _is_noise(text: str) -> bool:
    words = fold(text).split()
    return bool(
        not words
        or _NOISE_START.search(" ".join(words))
        or (not _NOISE.isdisjoint(words) and _NOISE.union(_FILLER).issuperset(words))
    )
