"""Where Alembic is in a project: where people have its configuration, and its ``env.py``."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.config.alembic_file import INI_NAME, TOML_NAME

_DEPTH = 3
_NEVER = frozenset(
    {"node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env"}
    | {"tests", "test", "docs", "examples", "templates"}
)


def configurations(folder: Path) -> list[Path]:
    """Return the files that configure Alembic: the one of ``folder``, else all below it.

    Those may be in order or not. Sorted; of an ini file and a table beside it, the ini file.
    """
    if (own := _own(folder)) is not None:
        return [own]
    return [found for below in _below(folder) if (found := _own(below)) is not None]


def others(folder: Path) -> list[Path]:
    """Return what configures Alembic below a folder that has a configuration of its own."""
    if _own(folder) is None:
        return []
    return [found for below in _below(folder) if (found := _own(below)) is not None]


def environments(folder: Path) -> list[Path]:
    """Return folders below ``folder`` that hold an ``env.py`` of Alembic and its revisions."""
    return [below for below in _below(folder) if is_environment(below)]


def is_environment(folder: Path) -> bool:
    """Whether a folder has an ``env.py`` of Alembic, and a place for revisions."""
    try:
        text = (folder / "env.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    has_revisions = (folder / "versions").is_dir() or (folder / "script.py.mako").is_file()
    return has_revisions and "alembic" in text


def _own(folder: Path) -> Path | None:
    if (folder / INI_NAME).is_file():
        return folder / INI_NAME
    return folder / TOML_NAME if _has_table(folder / TOML_NAME) else None


def _below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield the folders below one, sorted, each before its own; no virtual environments."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    for name in names:
        below = folder / name
        if name.startswith(".") or name in _NEVER or (below / "pyvenv.cfg").exists():
            continue
        yield below
        if depth > 1:
            yield from _below(below, depth - 1)


def _has_table(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    try:
        return isinstance(tomllib.loads(text)["tool"]["alembic"], dict)
    except (KeyError, TypeError):
        return False
    except (ValueError, RecursionError):
        return "[tool.alembic" in text
