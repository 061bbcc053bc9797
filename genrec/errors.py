"""Errors with a sentence for the user and a stable code for programs.

Every error has one argument, the sentence, so it survives pickling and the JSON frames of the
worker pool. ``code`` is a stable word that programs may test.
"""

from __future__ import annotations


class GenrecError(Exception):
    """Base class of genrec's errors. ``str(error)`` is a sentence with the cause and the fix."""

    code = "error"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class InputRefused(GenrecError):
    """The input cannot be analysed. The command line exits with 3."""

    code = "input_refused"


class UnreadableAudio(InputRefused):
    """No audio could be decoded from the file."""

    code = "unreadable_audio"


class UnsupportedFormat(InputRefused):
    """The container, codec, sample rate or number of channels is not supported."""

    code = "unsupported_format"


class SilentAudio(InputRefused):
    """The clip is silent."""

    code = "silent_audio"


class NoMusic(InputRefused):
    """The clip holds no music, where only music is accepted, as in a catalogue."""

    code = "no_music"


class KeyUnclear(InputRefused):
    """Compatible keys are wanted, and the clip's key is not confident."""

    code = "key_unclear"


class TagUnknown(InputRefused):
    """A sound tag is wanted that the preset does not have."""

    code = "tag_unknown"


class SameSong(InputRefused):
    """Both ends of a way of songs are the same song."""

    code = "same_song"


class SongUnknown(InputRefused):
    """A typed name fits no track of the catalogue, or several songs."""

    code = "song_unknown"


class ClipTooShort(InputRefused):
    """The clip is shorter than the minimum length."""

    code = "clip_too_short"


class ClipTooLong(InputRefused):
    """The clip, or the recording on a linked page, is longer than the limit."""

    code = "clip_too_long"


class ClipTooLarge(InputRefused):
    """The file has more bytes than the limit."""

    code = "clip_too_large"


class FileMissing(InputRefused):
    """The file does not exist or cannot be opened."""

    code = "file_missing"


class UnsupportedSource(InputRefused):
    """The operator's source policy does not allow the link's host."""

    code = "unsupported_source"


class LinkRefused(InputRefused):
    """The link is not allowed or could not be fetched."""

    code = "link_refused"


class LinksDisabled(InputRefused):
    """The source policy allows no links."""

    code = "links_disabled"


class ClipsDisabled(InputRefused):
    """The source policy allows neither links nor uploads."""

    code = "clips_disabled"


class MapTooSmall(InputRefused):
    """There are too few tracks for a map."""

    code = "map_too_small"


class PresetError(GenrecError):
    """A preset folder is missing, damaged or inconsistent."""

    code = "preset"


class ModelMismatch(PresetError):
    """Data belong to another model, or a preset's files were changed after its export."""

    code = "model_mismatch"


class DataError(GenrecError):
    """Training, evaluation or export cannot use its data, run folder, weights or options."""

    code = "data"


class CatalogueError(GenrecError):
    """The catalogue's database cannot be used, or it cannot serve a request."""

    code = "catalogue"


class WrongDatabaseAddress(CatalogueError):
    """The address of the database is wrong, or what it names: another try fails too."""


class DestinationRefused(CatalogueError):
    """A database cannot be moved to the place that was named. The command line exits with 3."""


class MapFailed(GenrecError):
    """The process that lays out a map took too long or failed."""

    code = "map_failed"


class MapLibraryMissing(GenrecError):
    """The library that lays out a map is not installed."""

    code = "map_library_missing"


class PoolError(GenrecError):
    """The worker pool did not finish an analysis."""

    code = "pool"


class Busy(PoolError):
    """Too many clips wait for a worker or a download, or the disk is full; a retry can help."""

    code = "busy"


class AnalysisTimeout(PoolError):
    """An analysis exceeded its time limit."""

    code = "analysis_timeout"


class WorkerCrashed(PoolError):
    """The worker process failed during this analysis."""

    code = "worker_crashed"


class WorkerUnavailable(PoolError):
    """No worker process could be started."""

    code = "worker_unavailable"


class ClusterLost(PoolError):
    """The Dask cluster that analyses files cannot be reached, or has no workers."""

    code = "cluster_lost"


class PoolClosed(PoolError):
    """The pool is shutting down."""

    code = "pool_closed"


def by_code(code: str, sentence: str) -> GenrecError:
    """Return an error with this code and sentence; a GenrecError if the code is unknown."""
    classes: list[type[GenrecError]] = [GenrecError]
    for cls in classes:
        classes.extend(cls.__subclasses__())
        if cls.code == code:
            return cls(sentence)
    return GenrecError(sentence)
