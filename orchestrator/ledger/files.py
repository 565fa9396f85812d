"""The file of a SQLite ledger: its owner's alone, and out of version control."""

import errno
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.location import Location, in_memory

_SECONDS = 10.0


def prepare_file(location: Location, shown: str) -> None:
    """Make the file, with mode 0600, where it is missing, and its folder, with mode 0700.

    Leaves what is there as it is. Raises ``UsageError`` or ``Refused``.
    """
    if in_memory(location.database or "", location.query) or not location.file:
        raise UsageError(
            f"the ledger at {shown} is gone when the program ends; name a file in project.ledger"
        )
    path = Path(os.path.realpath(location.file))
    try:
        _make_folder(path.parent)
        _make_file(path)
    except OSError as error:
        raise _refusal(shown, error.strerror or str(error)) from None


def write_ahead(location: Location, shown: str) -> None:
    """Let readers not wait for a writer, where the file system can do that.

    SQLite does not wait for others here, so we do. Raises ``Refused``.
    """
    try:
        _write_ahead(Path(location.file or ""))
    except sqlite3.Error as error:
        raise _refusal(shown, str(error)) from None


def _refusal(shown: str, cause: str) -> Refused:
    return Refused(
        f"the ledger at {shown} can't be opened: {cause}; "
        "fix its rights, or name another file in project.ledger"
    )


def _make_file(path: Path) -> None:
    """Make the file where it is missing, and never open one that is there.

    Closing it would give up every lock that SQLite holds on it in this process; whoever closes the
    ledger last would then take away what others have still to write.
    """
    if not path.exists():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _make_folder(folder: Path) -> None:
    if folder.exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _write_ahead(path: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    with closing(sqlite3.connect(path, timeout=_SECONDS)) as connection:
        while True:
            try:
                if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return
