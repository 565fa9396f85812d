"""``--events``: what happens in a run as lines of JSON, described in ``docs/events.md``."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from json import dumps
from pathlib import Path
from typing import Any

from orchestrator.actions.runs.record import Sink
from orchestrator.errors import UsageError
from orchestrator.rollout.events import Event
from orchestrator.rollout.outcomes import Outcome
from orchestrator.rollout.times import iso


@contextmanager
def event_log(path: Path, run: int) -> Iterator[Sink]:
    """Return what appends an event to a file, at once. Raises ``UsageError`` where it can't.

    A disk that is full later is no reason to stop a run: the ledger has it all.
    """
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--events {path}: {error.strerror or error}") from None

    def write(event: Event) -> None:
        with suppress(OSError):
            file.write(dumps(line(event, run), ensure_ascii=False) + "\n")
            file.flush()

    try:
        yield write
    finally:
        with suppress(OSError):
            file.close()


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
