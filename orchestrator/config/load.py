"""Read ``environments.toml``: either a whole and valid configuration, or every mistake in it."""

import hashlib
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.config.models import Config
from orchestrator.config.problems import Problem
from orchestrator.config.report import Source, shown_path
from orchestrator.config.understand import understand
from orchestrator.errors import ConfigError

FILE_NAME = "environments.toml"
VARIABLE = "ORCHESTRATOR_CONFIG"

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PLAINER = {
    "Cannot overwrite a value": "this key is set twice",
    "Expected '=' after a key in a key/value pair": "expected '=' after a key",
}


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A valid ``environments.toml``: where it is, what it says, and how to report on it."""

    path: Path
    """Absolute."""
    text: str = field(repr=False)
    digest: str
    """SHA-256 of the file's bytes, in hexadecimal."""
    config: Config = field(repr=False)

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to."""
        return self.path.parent

    def error(self, problems: Sequence[Problem]) -> ConfigError:
        """Return the error that shows each problem at its place. No secret is in its message."""
        return ConfigError(Source(self.path, self.text).report(problems))


def load(path: Path | None = None) -> ConfigFile:
    """Read and check ``path``, else the file that ``ORCHESTRATOR_CONFIG`` names, else ``find()``.

    Raises ``ConfigError``, and nothing else, with every mistake and its place.
    """
    file = Path(os.path.abspath(path or os.environ.get(VARIABLE) or find(_here())))  # noqa: PTH100 - keeps symbolic links as they were named
    data = _read(file)
    text = _decode(file, data)
    config, problems = understand(_parse(file, text))
    if config is None or problems:
        raise ConfigError(Source(file, text).report(problems))
    return ConfigFile(file, text, hashlib.sha256(data).hexdigest(), config)


def find(start: Path) -> Path:
    """Return the nearest ``environments.toml``, in ``start`` or a folder above it.

    Raises ``ConfigError`` that says how to make one.
    """
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigError(
        f"no {FILE_NAME} in {start} or a folder above it\n"
        f"      make one with `orchestrator init`, or name one with --config PATH or {VARIABLE}"
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(f"the current folder can't be read: {error.strerror}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f"{shown_path(path)}: no such file\n      make one with `orchestrator init`"
    except IsADirectoryError:
        message = f"{shown_path(path)}: is a folder\n      name the file in it: {FILE_NAME}"
    except (OSError, ValueError) as error:
        message = f"{shown_path(path)}: {getattr(error, 'strerror', None) or 'not a path'}"
    raise ConfigError(message)


def _decode(path: Path, data: bytes) -> str:
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError(
            f"{shown_path(path)}:{line}:{column}: not UTF-8\n      save it as UTF-8 in your editor"
        ) from None
    if not text.strip():
        raise ConfigError(
            f"{shown_path(path)}:1:1: the file is empty\n"
            "      `orchestrator init` in an empty folder writes one to start from"
        )
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        message, line, column = "nested too deeply", 1, 1
    except ValueError as error:  # tomllib lets more than TOMLDecodeError through
        message, line, column = _syntax(str(error), text)
    raise ConfigError(Source(path, text).block(line, column, message))


def _syntax(message: str, text: str) -> tuple[str, int, int]:
    place = _PLACE.search(message)
    if place is None:
        return "not TOML: a number is too long", 1, 1
    what = message[: place.start()]
    what = _PLAINER.get(what, what)
    if place[1]:
        return f"not TOML: {what}", int(place[1]), int(place[2])
    lines = text.rstrip().split("\n")
    return f"not TOML: {what} at the end of the file", len(lines), len(lines[-1].rstrip()) + 1
