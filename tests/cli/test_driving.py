"""Asking while a run goes on: without waiting, without old answers, not in the way of Ctrl-C."""

import os
import pty
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.driving import Asker, driven, interruptible
from orchestrator.config.load import load
from orchestrator.errors import UsageError

FILE = """
[project]
name = "shop"
[databases.orders]
script_location = "migrations"
[environments.dev]
url = "sqlite:///var/{tenant}.db"
tenants = ["acme"]
"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return both ends of a terminal: who types, and who reads."""
    typing, reading = pty.openpty()
    yield typing, reading
    os.close(typing)
    os.close(reading)


def answer(asker: Asker, question: str = "Go on after prod/canary?") -> bool | None:
    """Ask until there is an answer, for a second."""
    for _ in range(20):
        if (found := asker.ask(question)) is not None:
            return found
        time.sleep(0.05)
    return None


def test_a_question_is_asked_once_and_waited_for_by_nobody(terminal: tuple[int, int]) -> None:
    said: list[str] = []
    asker = Asker(said.append, terminal[1])
    began = time.monotonic()
    assert [asker.ask("Go on?") for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 1
    assert said == ["Go on? [y/n]"]
    asker.ask("And now?")
    assert said == ["Go on? [y/n]", "And now? [y/n]"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("y\n", True),
        ("YES\n", True),
        ("n\n", False),
        (" no \n", False),
        ("\n", None),
        ("what?\n", None),
        ("y", None),
        ("\x04", None),
    ],
)
def test_a_line_is_an_answer(terminal: tuple[int, int], typed: str, meant: bool | None) -> None:
    asker = Asker(lambda _: None, terminal[1])
    assert asker.ask("Go on?") is None
    os.write(terminal[0], typed.encode())
    assert answer(asker, "Go on?") is meant


def test_what_was_typed_before_the_question_is_no_answer(terminal: tuple[int, int]) -> None:
    os.write(terminal[0], b"y\n")
    time.sleep(0.05)
    assert answer(Asker(lambda _: None, terminal[1])) is None


def test_in_the_background_nothing_is_asked_or_read(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp() + 1)
    os.write(terminal[0], b"y\n")
    assert answer(Asker(said.append, terminal[1])) is None
    assert said == []


def test_ctrl_c_ends_what_waits_for_an_answer_and_is_counted_again_afterwards() -> None:
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: presses.append(number))
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), interruptible():
            time.sleep(10)
        os.kill(os.getpid(), signal.SIGINT)
        assert presses == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_terminal_nobody_is_asked_and_nothing_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.actions import Project

    (tmp_path / "environments.toml").write_text(FILE)
    project = Project(load(tmp_path / "environments.toml"))
    before = project.observer
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with driven(project) as how:
            assert (how.wait, how.ask("Go on?")) == (False, None)
            assert project.observer is not before
        assert project.observer is before
        with driven(project, wait=True) as how:
            assert (how.wait, how.ask("Go on?")) == (True, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"events": Path("/nowhere/events.jsonl")}, "--events /nowhere/events.jsonl: No such file"),
        ({"override": "  "}, "--override wants a reason"),
    ],
)
def test_what_can_not_be_recorded_is_said_before_anything_is_planned(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    from orchestrator.actions import Project

    (tmp_path / "environments.toml").write_text(FILE)
    project = Project(load(tmp_path / "environments.toml"))
    with pytest.raises(UsageError, match=message), driven(project, **options):  # type: ignore[arg-type]  # of several types
        pytest.fail("it went on")
