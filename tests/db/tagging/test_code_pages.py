"""Tests of choosing the code page of tags that declare none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from db.tagging.code_pages import decode_texts, repair_texts

EXAMPLES = [
    ("cp1251", "Кино", "Звезда по имени Солнце"),
    ("cp1251", "Океан Ельзи", "Без бою"),
    ("cp1251", "Мумий Тролль", "Владивосток 2000"),
    ("koi8-r", "Аквариум", "Город золотой"),
    ("cp866", "Аквариум", "Поезд в огне"),
    ("cp932", "サザンオールスターズ", "いとしのエリー"),
    ("cp932", "中島みゆき", "地上の星"),
    ("euc_jp", "スピッツ", "空も飛べるはず"),
    ("gbk", "邓丽君", "月亮代表我的心"),
    ("gbk", "Beyond", "海阔天空"),
    ("cp950", "周杰倫", "七里香"),
    ("cp949", "소녀시대", "다시 만난 세계"),
    ("cp1253", "Μίκης Θεοδωράκης", "Της δικαιοσύνης ήλιε νοητέ"),
    ("cp1255", "שלמה ארצי", "תתארו לכם"),
    ("cp1256", "أم كلثوم", "انت عمري"),
    ("cp874", "คาราบาว", "บัวลอย"),
    ("cp1250", "Czesław Niemen", "Dziwny jest ten świat"),
    ("utf-8", "Кино", "Пачка сигарет"),
    ("utf-8", "Björk", "Jóga"),
    ("cp1252", "Björk", "Jóga"),
    ("cp1252", "Sigur Rós", "Ágætis byrjun"),
    ("cp1252", "Die Ärzte", "Männer sind Schweine"),
    ("cp1252", "Guns N\u2019 Roses", "Sweet Child O\u2019 Mine"),
    ("cp1252", "Maná", "¿Dónde jugarán los niños?"),
    ("cp1252", "Café Tacvba", "Las flores"),
    ("cp1252", "Chico Buarque", "Construção"),
    ("cp1252", "MÖTLEY CRÜE", "DR. FEELGOOD"),
    ("cp1252", "Mylène Farmer", "Désenchantée"),
]


@pytest.mark.parametrize(("codec", "artist", "title"), EXAMPLES)
def test_texts_of_a_code_page_are_decoded(codec: str, artist: str, title: str) -> None:
    texts = {"artist": artist, "title": title}
    assert decode_texts({name: text.encode(codec) for name, text in texts.items()}) == texts
    misread = {name: text.encode(codec).decode("latin-1") for name, text in texts.items()}
    assert repair_texts(misread, (), unicode=False) == texts


@pytest.mark.parametrize(
    ("codec", "title", "name"),
    [
        ("cp1251", "ЛЮБЭ", "Любэ - Конь"),
        ("gbk", "青花瓷", "周杰伦 - 青花瓷"),
        ("cp1250", "Proměny", "Čechomor - Proměny"),
        # The names of files on a Mac are decomposed.
        ("cp1250", "Čechomor", "C\u030cechomor"),
    ],
)
def test_files_name_decides_where_letters_do_not(codec: str, title: str, name: str) -> None:
    raw = {"title": title.encode(codec)}
    assert decode_texts(raw) != {"title": title}
    assert decode_texts(raw, (name,)) == {"title": title}


def test_undecidable_text_is_left_out_and_others_stay() -> None:
    texts = {"title": "ЛЮБЭ".encode("cp1251").decode("latin-1"), "artist": "Rock"}
    assert repair_texts(texts, (), unicode=False) == {"artist": "Rock"}
    assert repair_texts(texts, (), unicode=True) == texts


def test_text_with_other_letters_is_right_and_helps() -> None:
    texts = {"artist": "Любэ", "title": "ЛЮБЭ".encode("cp1251").decode("latin-1")}
    assert repair_texts(texts, (), unicode=False) == {"artist": "Любэ", "title": "ЛЮБЭ"}


def test_ascii_is_returned_as_it_is() -> None:
    assert decode_texts({"title": b"Blue Monday"}) == {"title": "Blue Monday"}
    assert decode_texts({}) == {}


def test_songs_in_fourteen_code_pages_are_decoded() -> None:
    """The costs were set with other songs; the file has codec, artist and title."""
    decoded: Counter[str] = Counter()
    lines = Path(__file__).with_name("songs.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        codec, artist, title = line.split("\t")
        texts = {"artist": artist, "title": title}
        found = decode_texts({name: text.encode(codec) for name, text in texts.items()})
        decoded["right" if found == texts else "wrong" if found else "left out"] += 1
    assert decoded.total() == len(lines) == 110
    assert decoded["right"] >= 105
    assert decoded["wrong"] == 0
