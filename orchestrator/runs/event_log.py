"""``--events``: what happens in a run as lines of JSON, described in ``docs/events.md``."""

import re
from contextlib import suppress
from dataclasses import fields
from json import dumps
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import UsageError
from orchestrator.rollout.events import Event
from orchestrator.rollout.outcomes import Outcome
from orchestrator.rollout.times import iso


class EventLog:
    """Appends each event to a file, at once.

    A disk that is full later is no reason to stop a run, for the ledger has it all: nothing more is
    then written, and ``lost`` says why.
    """

    def __init__(self, path: Path, run: int) -> None:
        """Raise ``UsageError`` where it can't be written to."""
        self._path, self._run = path, run
        self.lost = ""
        try:
            # No buffer: what was not written must not be tried again by close().
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise UsageError(f"--events {path}: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()

    def write(self, event: Event) -> None:
        """Append one line, whole, unless one before could not be."""
        if self.lost:
            return
        text = (dumps(line(event, self._run), ensure_ascii=False) + "\n").encode()
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError as error:
            self.lost = f"--events {self._path}: {error.strerror or error}; the rest is missing"


def line(event: Event, run: int) -> dict[str, Any]:
    """Return an event as what its line says."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    head: dict[str, Any] = {"event": name, "run": run, "at": iso(event.at)}
    for field in fields(event):
        if field.name == "at":
            continue
        value = getattr(event, field.name)
        head |= _outcome(value) if isinstance(value, Outcome) else {field.name: value}
    for key in ("until", "since"):
        if isinstance(head.get(key), int):
            head[key] = iso(head[key])
    return head


def _outcome(outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure
    return {
        "target": outcome.target,
        "state": outcome.state,
        "heads_before": outcome.heads_before,
        "heads": outcome.heads,
        "revisions": [revision.id for revision in outcome.revisions],
        "blocked_by": outcome.blocked_by,
        "seconds": outcome.seconds,
        "failure": None
        if failure is None
        else {
            "message": failure.message,
            "next_step": failure.next_step,
            "revision": failure.revision,
            "statement": failure.statement,
        },
    }
