"""What can go wrong, each as a sentence for the person who reads it.

Every error takes one argument, the sentence, and hands it to ``Exception``: so all of them survive
pickling and the JSON pipe of the worker pool. ``code`` is the stable word a program may test.
"""

from __future__ import annotations


class GenrecError(Exception):
    """Something genrec can explain. ``str(error)`` is a sentence that names cause and way out."""

    code = "error"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class InputRefused(GenrecError):
    """The input is at fault, and the sentence says how. The command line leaves with 3."""

    code = "input_refused"


class UnreadableAudio(InputRefused):
    """No sound could be decoded from the file."""

    code = "unreadable_audio"


class UnsupportedFormat(InputRefused):
    """The file is not in one of the containers genrec opens."""

    code = "unsupported_format"


class SilentAudio(InputRefused):
    """The clip holds nothing that can be heard."""

    code = "silent_audio"


class ClipTooShort(InputRefused):
    """The clip is too short to say anything about."""

    code = "clip_too_short"


class ClipTooLong(InputRefused):
    """The clip, or the page behind a link, is longer than genrec takes."""

    code = "clip_too_long"


class ClipTooLarge(InputRefused):
    """The file has more bytes than genrec takes."""

    code = "clip_too_large"


class FileMissing(InputRefused):
    """There is no such file, or it cannot be opened."""

    code = "file_missing"


class UnsupportedSource(InputRefused):
    """The link leads to a place genrec does not fetch from."""

    code = "unsupported_source"


class LinkRefused(InputRefused):
    """The link must not, or could not, be fetched."""

    code = "link_refused"


class PresetError(GenrecError):
    """A models/<name>/ folder is missing, damaged or not what it says."""

    code = "preset"


class ModelMismatch(PresetError):
    """Two things made by different models were about to be mixed."""

    code = "model_mismatch"


class DataError(GenrecError):
    """A folder of training or test data is not laid out as documented."""

    code = "data"


class CatalogueError(GenrecError):
    """The catalogue's database cannot be used as it is."""

    code = "catalogue"


class PoolError(GenrecError):
    """An analysis was not finished by the worker pool."""

    code = "pool"


class Busy(PoolError):
    """The queue is full."""

    code = "busy"


class AnalysisTimeout(PoolError):
    """An analysis ran past its time limit and was ended."""

    code = "analysis_timeout"


class WorkerCrashed(PoolError):
    """The worker process died of this clip."""

    code = "worker_crashed"


class WorkerUnavailable(PoolError):
    """No worker process could be started."""

    code = "worker_unavailable"


class PoolClosed(PoolError):
    """The pool is shutting down."""

    code = "pool_closed"


def by_code(code: str, sentence: str) -> GenrecError:
    """Return the error whose class has ``code``, so that it can cross a JSON pipe."""
    classes: list[type[GenrecError]] = [GenrecError]
    for cls in classes:
        classes.extend(cls.__subclasses__())
        if cls.code == code:
            return cls(sentence)
    return GenrecError(sentence)
