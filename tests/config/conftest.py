"""Fixtures for everything about ``environments.toml``."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.config.load import load
from orchestrator.errors import ConfigError


@pytest.fixture
def mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Load a text as ``environments.toml`` and return the message of the error that it gives."""
    monkeypatch.chdir(tmp_path)

    def message(text: str) -> str:
        file = tmp_path / "environments.toml"
        file.write_bytes(dedent(text).removeprefix("\n").encode())
        with pytest.raises(ConfigError) as caught:
            load(file)
        return str(caught.value)

    return message


@pytest.fixture
def mistake(mistakes: Callable[[str], str]) -> Callable[[str], str]:
    """Like ``mistakes``, for lines added to a small valid file; without the shown lines."""

    def message(lines: str) -> str:
        shown = mistakes(SMALL + dedent(lines))
        return "\n".join(
            line for line in shown.split("\n") if line[:11].strip(" 0123456789") != "|"
        )

    return message


SMALL = """\
project.name = "shop"
databases.orders.script_location = "m"
databases.catalog.script_location = "m"
"""
