"""Files that commands write for somebody: whole, or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def put(option: str, path: Path, pieces: Iterable[str], *, mode: int = PRIVATE) -> int:
    """Write a file whole, by default to be read by its owner alone, and return its size in bytes.

    One that is there keeps its mode, and its content where the new one can't be written. Raises
    ``UsageError``, which names the option that asked for it.
    """
    from orchestrator.errors import UsageError

    try:
        return _put(path.resolve(), pieces, mode)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"{option} {path}: {said}") from None


def _put(path: Path, pieces: Iterable[str], new: int) -> int:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = new
    else:
        if not stat.S_ISREG(mode):
            return _into(path, pieces)  # a device or a pipe, which nothing may replace
    descriptor, draft = tempfile.mkstemp(prefix=".orchestrator-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), stat.S_IMODE(mode))
            size = sum(file.write(_encoded(piece)) for piece in pieces)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return size


def _into(path: Path, pieces: Iterable[str]) -> int:
    with path.open("wb") as file:
        return sum(file.write(_encoded(piece)) for piece in pieces)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a name may hold half of a character
