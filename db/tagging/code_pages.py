"""Decode tags whose code page is not declared, or wrongly declared as Latin-1.

ID3v1, ID3v2, RIFF INFO and AIFF texts are Latin-1 by their standards, but many programs wrote them
in the code page of their country. Each candidate decoding gets a cost in bits: the negative base-2
logarithm of the probability of its letters in that language. The cheapest one is chosen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.tagging.letters import (
    ARABIC,
    CYRILLIC,
    GREEK,
    HANGUL,
    HANZI,
    HEBREW,
    KANJI,
    WESTERN,
)

# Bits by which the best decoding must beat the next one that differs.
MARGIN_BITS = 3.0
# Credit of a decoding that has a word of the file's name or folders.
_NAME_BITS = 25.0
# Added for a text that is declared as Unicode: it is wrong only if it was converted wrongly.
_UNICODE_BITS = 15.0
_ASCII_BITS, _STRANGE_BITS = 5.0, 16.0
# Cost of a word with letters of two scripts, for each change, and of such a text.
_MIXED_BITS, _MIXED_TEXT_BITS = 9.0, 4.0
# A text of this length is decided by far.
_MAX_LETTERS = 600


@dataclass(frozen=True, slots=True)
class _Candidate:
    codec: str
    prior_bits: float
    cost: Callable[[str, str], float]


def decode_texts(
    texts: Mapping[str, bytes], names: Sequence[str] = (), *, unicode: bool = False
) -> dict[str, str] | None:
    """Return the texts of one file's tags, decoded with the most probable code page.

    Parameters
    ----------
    texts
        The bytes by field; all of them are in one code page.
    names
        Names of the file and its folders: a decoding that has a word of them is right.
    unicode
        True for texts that were declared as Unicode and have Latin-1 characters only.

    Returns
    -------
    dict of str, or None
        None if two code pages are about as probable.
    """
    if all(text.isascii() for text in texts.values()):
        return {field: text.decode("ascii") for field, text in texts.items()}
    if (utf8 := _decoded(texts, "utf-8")) is not None:
        return utf8
    tokens = _tokens(names)
    ranked = sorted(
        (_cost(decoded, candidate, tokens, unicode=unicode), candidate.codec)
        for candidate in _CANDIDATES
        if (decoded := _decoded(texts, candidate.codec)) is not None
    )
    best = _decoded(texts, ranked[0][1])
    for cost, codec in ranked[1:]:
        if cost - ranked[0][0] > MARGIN_BITS:
            break
        if _decoded(texts, codec) != best:
            return None
    return best


def repair_texts(
    texts: Mapping[str, str], names: Sequence[str], *, unicode: bool
) -> dict[str, str]:
    """Return texts with those that were wrongly read as Latin-1 decoded again.

    Texts with other characters are right. A text that cannot be decoded is left out, so that the
    file's name is taken.
    """
    raw: dict[str, bytes] = {}
    kept: dict[str, str] = {}
    for field, text in texts.items():
        try:
            encoded = text.encode("latin-1")
        except UnicodeEncodeError:
            kept[field] = text
        else:
            raw[field] = encoded
    decoded = decode_texts(raw, [*names, *kept.values()], unicode=unicode)
    if decoded is None and unicode:
        return dict(texts)
    if decoded is None:
        decoded = {field: text.decode("ascii") for field, text in raw.items() if text.isascii()}
    return {field: (kept | decoded)[field] for field in texts if field in kept or field in decoded}


def _decoded(texts: Mapping[str, bytes], codec: str) -> dict[str, str] | None:
    try:
        return {field: text.decode(codec) for field, text in texts.items()}
    except UnicodeDecodeError:
        return None


def _tokens(names: Iterable[str]) -> set[str]:
    """Return the words of names that are not ASCII, casefolded."""
    spaced = "".join(letter if letter.isalnum() else " " for letter in _fold(" ".join(names)))
    return {word for word in spaced.split() if not word.isascii()}


def _fold(text: str) -> str:
    # The names of files on some systems are decomposed.
    return unicodedata.normalize("NFC", text).casefold()


def _cost(
    decoded: Mapping[str, str], candidate: _Candidate, tokens: set[str], *, unicode: bool
) -> float:
    bits = candidate.prior_bits
    if unicode and candidate.codec != "cp1252":
        bits += _UNICODE_BITS
    texts = [text[:_MAX_LETTERS] for text in decoded.values()]
    whole = " ".join(texts)
    before = " "
    for letter in whole:
        bits += _ASCII_BITS if letter.isascii() else candidate.cost(letter, before)
        if candidate.cost is not _western and _is_mixed(letter, before):
            bits += _MIXED_BITS
        before = letter
    if candidate.cost is not _western:
        bits += _MIXED_TEXT_BITS * sum(map(_has_two_scripts, texts))
    folded = _fold(whole)
    if tokens & _tokens([whole]) or any(len(token) > 1 and token in folded for token in tokens):
        bits -= _NAME_BITS
    return bits


def _has_two_scripts(text: str) -> bool:
    ascii_letters = sum(letter.isascii() for letter in text if letter.isalpha())
    return 0 < ascii_letters < sum(letter.isalpha() for letter in text)


def _is_mixed(letter: str, before: str) -> bool:
    """Return whether two letters of one word are of two scripts."""
    return letter.isalpha() and before.isalpha() and letter.isascii() != before.isascii()


def _case_bits(letter: str, before: str) -> float:
    """Return the cost of an unusual case: a capital within a word costs most."""
    if not letter.isupper():
        return 0.0
    if before.islower():
        return 7.0
    return 2.0 if before.isalpha() else 1.0


def _alphabet(frequencies: Mapping[str, float]) -> Callable[[str, str], float]:
    def cost(letter: str, before: str) -> float:
        bits = frequencies.get(letter.lower())
        if bits is None:
            return _symbol_bits(letter, before)
        return bits + _case_bits(letter, before)

    return cost


def _symbol_bits(letter: str, before: str) -> float:
    if letter in "«»„“”‘’–—…№©®°·":
        return 9.0 if before == " " or letter in "»”’–—…" else 11.0
    return _STRANGE_BITS


def _western(letter: str, before: str) -> float:
    bits = WESTERN.get(letter.lower())
    if bits is None:
        bits = 8.0 if letter in "¡¿" and not before.isalpha() else _symbol_bits(letter, before)
        return bits + (6.0 if before.isalpha() and letter not in "»”’–—…®©" else 0.0)
    if not before.isascii() and before.isalpha():
        bits += 4.0  # letters with accents rarely follow each other
    return bits + _case_bits(letter, before)


def _japanese(letter: str, _before: str) -> float:
    if "\u3041" <= letter <= "\u309f":
        return 5.5
    if "\u30a1" <= letter <= "\u30ff":
        return 6.5
    if "\uff61" <= letter <= "\uff9f":
        return 13.0  # of half width
    return _ideograph(letter, KANJI, "shift_jis", 0x98)


def _korean(letter: str, _before: str) -> float:
    if "\uac00" <= letter <= "\ud7a3":
        if letter in HANGUL:
            return 8.0
        return 10.5 if _lead_byte(letter, "euc_kr") else 24.0
    return _ideograph(letter, "", "euc_kr", 0xFD) + 5.0


def _chinese(codec: str, last_common: int) -> Callable[[str, str], float]:
    def cost(letter: str, _before: str) -> float:
        if "\u3041" <= letter <= "\u30ff":
            return 14.0
        return _ideograph(letter, HANZI, codec, last_common)

    return cost


def _ideograph(letter: str, common: str, codec: str, last_common: int) -> float:
    """Return the cost of an ideograph; standards place the frequent ones first."""
    if not "\u4e00" <= letter <= "\u9fff":
        return 10.0 if unicodedata.category(letter)[0] in "LNP" else _STRANGE_BITS
    if letter in common:
        return 9.0
    lead = _lead_byte(letter, codec)
    if not lead:
        return 21.0
    return 12.0 if lead <= last_common else 17.5


def _lead_byte(letter: str, codec: str) -> int:
    """Return the first of a letter's two bytes; 0 if the standard does not have it."""
    try:
        encoded = letter.encode(codec)
    except UnicodeEncodeError:
        return 0
    return encoded[0] if len(encoded) == 2 else 0


def _thai(letter: str, before: str) -> float:
    if not "\u0e01" <= letter <= "\u0e4e":
        return _STRANGE_BITS
    if unicodedata.category(letter) == "Mn":  # a vowel or tone above or below a consonant
        return 5.5 if "\u0e01" <= before <= "\u0e4e" else _STRANGE_BITS
    return 5.5


_cyrillic = _alphabet(CYRILLIC)
_CANDIDATES = (
    _Candidate("cp1252", 0.0, _western),
    _Candidate("latin-1", 1.0, _western),
    _Candidate("cp1250", 3.0, _western),
    _Candidate("cp1251", 2.0, _cyrillic),
    _Candidate("koi8-r", 6.0, _cyrillic),
    _Candidate("cp866", 7.0, _cyrillic),
    _Candidate("iso8859-5", 9.0, _cyrillic),
    _Candidate("cp1253", 5.0, _alphabet(GREEK)),
    _Candidate("cp1255", 5.0, _alphabet(HEBREW)),
    _Candidate("cp1256", 5.0, _alphabet(ARABIC)),
    _Candidate("cp874", 6.0, _thai),
    _Candidate("cp932", 3.0, _japanese),
    _Candidate("euc_jp", 7.0, _japanese),
    _Candidate("gbk", 3.0, _chinese("gb2312", 0xD7)),
    _Candidate("cp950", 4.0, _chinese("big5", 0xC6)),
    _Candidate("cp949", 4.0, _korean),
)
