"""What migrations print, kept out of our own output."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import IO

_MOST = 20_000
# What terminals take for colours, cursor and title (ECMA-48): CSI … final byte, OSC … BEL or ST.
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Capture:
    """Sends this process's standard output and error to a file of its own, for good.

    At the level of file descriptors: a migration's subprocess and a C library write there, too.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        for stream in (1, 2):
            os.dup2(self._file.fileno(), stream)

    def begin(self) -> None:
        """Forget what was written so far."""
        self._flush()
        os.ftruncate(self._file.fileno(), 0)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)

    def text(self, redact: Callable[[str], str]) -> str:
        """Return what was written since ``begin``, redacted, the end of it where it is long."""
        self._flush()
        size = os.fstat(self._file.fileno()).st_size
        # Redacted before it is cut: of a secret across the cut, the rest would be left.
        start = max(0, size - 4 * _MOST)
        text = redact(os.pread(self._file.fileno(), 4 * _MOST, start).decode(errors="replace"))
        text = _COLOURS.sub("", text)
        return text if not start and len(text) <= _MOST else "…" + text[-_MOST:]

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                # A migration may have closed it.
                with contextlib.suppress(ValueError, OSError):
                    stream.flush()
