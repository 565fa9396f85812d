"""What an engine is: the place where jobs run. This page is all that it takes to write another one.

An engine is made with a function of the worker, ``serve(pipe, *arguments)``, which takes jobs from
``pipe.recv()``, answers each with ``pipe.send(…)``, and ends when ``recv`` raises ``EOFError``.
What goes through the pipe in either direction can be pickled, and holds no secret: a job carries
names. ``is_last(content)`` tells which message ends a job; the engine looks into none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a worker sent while it works on ``key``."""

    key: str
    content: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """The last thing that a worker sent about ``key``."""

    key: str
    content: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker of ``key`` is gone without an answer: nobody knows what became of its job."""

    key: str
    reason: str
    """For people: how it ended."""
    timed_out: bool = False
    """It was stopped because it took longer than it was given."""


EngineEvent = Message | Finished | Lost


class CannotStart(Exception):
    """An engine has no worker for a job, and can't get one now. The job was not taken."""


class Nobody(CannotStart):
    """There is no worker of the place that a job asks for."""

    def __init__(self, place: str | None) -> None:
        start = "orchestrator worker" + (f" --place {place}" if place else "")
        super().__init__(
            f"there is no worker{f' of place {place}' if place else ''}; start one: {start}"
        )


class Engine(Protocol):
    """Runs jobs in workers, for one caller in one thread.

    Guarantees:

    - Each key that was submitted gets exactly one ``Finished`` or ``Lost``, and nothing after it.
      Until then it may not be submitted again; afterwards it may.
    - The messages of a key come in the order in which its worker sent them.
    - A worker that dies, hangs or overruns its time costs its own key alone.
    - No worker ever gets jobs of two kinds: what user code registers at import stays with its kind.
    - After ``Lost``, ``kill`` or ``close`` the worker of the key executes nothing more, as far as
      the engine can reach it. What it had sent to a database server may still run there: the
      target's lock is what keeps the next attempt out.
    """

    @property
    def capacity(self) -> int:
        """How many jobs may run at once. It may change from one ``wait`` to the next."""

    def capacity_of(self, place: str | None) -> int:
        """How many of those that ask for a place; ``None`` is any place."""

    def room(self, place: str | None, before: Sequence[str | None] = ()) -> int:
        """How many more may be submitted now of those that ask for a place, once a job was that
        asks for each of the places ``before``, in this order."""

    @property
    def busy(self) -> int:
        """How many jobs are running: submitted, and neither finished nor lost."""

    def submit(
        self, key: str, job: Any, timeout: float, *, kind: str, place: str | None = None
    ) -> None:
        """Give a job to a worker of its kind, which may take ``timeout`` seconds. Returns at once.

        Raises ``CannotStart`` where no worker can be had, and ``RuntimeError`` where ``capacity``
        jobs run already, or ``capacity_of`` its place.
        """

    def answer(self, key: str, content: Any) -> None:
        """Send something to the worker of ``key``; nothing where there is none any more."""

    def wait(self, timeout: float) -> Sequence[EngineEvent]:
        """Return what happened, as soon as anything did, at the latest after ``timeout`` seconds.

        May return earlier with nothing, and returns at once for 0.
        """

    def kill(self) -> Sequence[Lost]:
        """Stop all workers at once, and return what that costs. New jobs may follow."""

    def close(self) -> None:
        """End idle workers, and stop those that still work. Nothing may follow."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
