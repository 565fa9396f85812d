"""The standard streams, where they can't be written to: a full disk, a terminal that is gone."""

import errno
import io
import os
import sys
from typing import TextIO

from orchestrator.errors import NotWritten

_GONE = frozenset({errno.EPIPE, errno.EIO})
"""Nobody reads it any more: no reader of a pipe, no terminal."""


class Raw(io.RawIOBase):
    """One of the process's own streams. After its first error what is written is dropped.

    ``tells``: the first error is raised, as ``BrokenPipeError`` where nobody reads any more and as
    ``NotWritten`` else. Without it no write ever fails: a run tells its progress on stderr, and
    must not end because nobody can read that.
    """

    def __init__(self, number: int, name: str, *, tells: bool) -> None:
        super().__init__()
        self._number, self._name, self._tells = number, name, tells
        self._error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if self._error is None:
            try:
                return os.write(self._number, view)
            except OSError as error:
                self._error = error
                if self._tells:
                    raise self._told(error) from None
        return len(view)

    def _told(self, error: OSError) -> Exception:
        if error.errno in _GONE:
            return BrokenPipeError(errno.EPIPE, "nobody reads it")
        return NotWritten(f"{self._name}: {error.strerror}; the result is lost")

    @property
    def is_full(self) -> bool:
        """Whether something was dropped that somebody may be looking for."""
        return self._error is not None and self._error.errno not in _GONE


def own_streams() -> Raw | None:
    """Put such streams in the place of stdout, which tells, and stderr, which never fails.

    Returns that of stderr; ``None`` where the streams are not the process's own.
    """
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return None
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks is no reason to end with a traceback.
        sys.stdout = _on(Raw(1, "standard output", tells=True), sys.stdout, "backslashreplace")
    if not isinstance(sys.stderr, io.TextIOWrapper):
        return None
    raw = Raw(2, "standard error", tells=False)
    sys.stderr = _on(raw, sys.stderr, sys.stderr.errors or "backslashreplace")
    return raw


def _on(raw: Raw, before: TextIO, errors: str) -> TextIO:
    buffered = io.BufferedWriter(raw)
    interactive = raw.isatty() or raw.fileno() == 2
    return io.TextIOWrapper(
        buffered, encoding=before.encoding, errors=errors, line_buffering=interactive
    )
