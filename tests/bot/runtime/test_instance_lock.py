"""The instance lock: two names of one database do not run two bots."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.runtime.instance_lock import instance_lock
from db.connection import open_db
from db.ingest.scope_lock import scope_lock
from genrec.errors import CatalogueError


def test_symbolic_link_to_a_locked_database_is_refused(tmp_path: Path) -> None:
    real, link = tmp_path / "genrec.db", tmp_path / "elsewhere" / "other.db"
    link.parent.mkdir()
    link.symlink_to(real)
    with (
        instance_lock(real),
        pytest.raises(CatalogueError, match="Another bot"),
        instance_lock(link),
    ):
        pytest.fail("two bots")
    with (
        instance_lock(link),
        pytest.raises(CatalogueError, match="Another bot"),
        instance_lock(real),
    ):
        pytest.fail("two bots")


def test_linked_folder_of_a_locked_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with (
        instance_lock(tmp_path / "data" / "a.db"),
        pytest.raises(CatalogueError),
        instance_lock(tmp_path / "link" / "a.db"),
    ):
        pytest.fail("two bots")


def test_database_with_hard_links_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "genrec.db"
    real.touch()
    (tmp_path / "second.db").hardlink_to(real)
    with pytest.raises(CatalogueError, match="2 names"), instance_lock(real):
        pytest.fail("another name may be in use")


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = tmp_path / "file" / "genrec.db"
    with pytest.raises(CatalogueError, match="GENREC_DATABASE"), instance_lock(database):
        pytest.fail("no folder")


async def test_scope_lock_is_the_same_for_both_names(tmp_path: Path) -> None:
    real, link = tmp_path / "genrec.db", tmp_path / "link.db"
    async with open_db(real) as one:
        link.symlink_to(real)
        async with open_db(link) as two, scope_lock(one, "library"):
            assert two.path == one.path
            with pytest.raises(CatalogueError, match="indexed already"):
                async with scope_lock(two, "library"):
                    pytest.fail("two runs")


async def test_loop_of_symbolic_links_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "b.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    with pytest.raises(CatalogueError), instance_lock(tmp_path / "a.db"):
        async with open_db(tmp_path / "a.db"):
            pytest.fail("opened")
