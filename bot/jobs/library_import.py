"""/library import: add the tracks of an exported file to a guild's tracks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path, PurePosixPath

from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.runner import Handler, Progress, Response
from bot.recommender import Recommender
from bot.sources import CheckedSource, Sources
from bot.ui import messages
from bot.ui.track_files import MAX_BYTES, public_source
from db.import_export import MAX_LISTED, import_tracks
from db.listed_tracks import Places
from db.tracks import LIBRARY, STARTER, guild_scope
from genrec.errors import ClipTooLarge, InputRefused, ModelMismatch

log = logging.getLogger(__name__)


def import_handler(
    source: CheckedSource,
    localizer: Localizer,
    guild_id: int,
    *,
    sources: Sources,
    recommender: Recommender,
    root: Path | None = None,
) -> Handler:
    """Return the handler that imports an uploaded list.

    A row that only names a track finds those that the guild may get in answers. Paths are looked up
    only relative to ``root``: an admin of a server must not probe for the operator's files.
    """
    scope, preset, catalogue = guild_scope(guild_id), recommender.preset, recommender.catalogue
    places = Places(scopes=(scope, LIBRARY, STARTER), roots=() if root is None else (root,))
    name = source.attachment.filename if source.attachment else ""

    async def handle(progress: Progress) -> Response:
        async with sources.fetch(source, owner=guild_id) as file:
            text = await asyncio.to_thread(read_text, file.path)
        progress.now("comparing")
        before = await catalogue.count(preset.model_id, scope)
        try:
            result = await import_tracks(
                catalogue,
                text,
                scope=scope,
                model_id=preset.model_id,
                dimension=preset.dimension,
                public_source=public_source,
                suffix=PurePosixPath(name).suffix,
                places=places,
            )
        except ModelMismatch as error:
            raise RequestDeclined("import_other_model", model=preset.model_id) from error
        except ClipTooLarge as error:
            raise RequestDeclined("import_too_long", limit=MAX_LISTED) from error
        except InputRefused as error:
            log.info("import declined: guild %s: %s", guild_id, error)
            raise RequestDeclined("import_unreadable") from error
        await recommender.reload()
        new = await catalogue.count(preset.model_id, scope) - before
        view = messages.imported(
            localizer,
            new=new,
            known=len(set(result.ids)) - new,
            refused=len(result.refused),
            unknown=len(result.unknown),
        )
        return Response(view)

    return handle


def read_text(path: Path) -> str:
    """Return the text of a file that is not larger than an export on Discord."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("too large")
        # Spreadsheets also save "Unicode text", which is UTF-16 with a byte order mark.
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except ValueError as error:
        raise RequestDeclined("import_unreadable") from error
