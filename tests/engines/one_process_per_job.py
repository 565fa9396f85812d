"""Another engine, written from ``engines/base.py`` alone: a new process for every job."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from orchestrator.engines.base import CannotStart, EngineEvent, Finished, Lost, Message


class OneProcessPerJob:
    """An ``Engine`` that keeps nothing."""

    def __init__(
        self,
        serve: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        size: int,
        is_final: Callable[[Any], bool],
        **_: Any,
    ) -> None:
        self.serve, self.arguments, self.is_final = serve, arguments, is_final
        self.capacity = size
        self.jobs: dict[str, tuple[Any, Connection, float]] = {}

    @property
    def busy(self) -> int:
        return len(self.jobs)

    def capacity_of(self, place: str | None) -> int:
        return self.capacity

    def room(self, place: str | None, before: Sequence[str | None] = ()) -> int:
        return self.capacity - self.busy - len(before)

    def submit(
        self, key: str, job: Any, timeout: float, *, kind: str, place: str | None = None
    ) -> None:
        if self.busy >= self.capacity:
            raise RuntimeError("more jobs than workers")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=self.serve, args=(theirs, *self.arguments), daemon=True)
        try:
            process.start()
        except OSError as error:
            raise CannotStart(str(error)) from None
        theirs.close()
        ours.send(job)
        self.jobs[key] = process, ours, time.monotonic() + timeout

    def answer(self, key: str, content: Any) -> None:
        if key in self.jobs:
            self.jobs[key][1].send(content)

    def wait(self, timeout: float) -> list[EngineEvent]:
        until = min([time.monotonic() + timeout, *(end for _, _, end in self.jobs.values())])
        pause = max(0.0, until - time.monotonic())
        if self.jobs:
            wait([pipe for _, pipe, _ in self.jobs.values()], pause)
        else:
            time.sleep(pause)
        return [event for key in list(self.jobs) for event in self._events(key)]

    def _events(self, key: str) -> Iterator[EngineEvent]:
        process, pipe, end = self.jobs[key]
        try:
            while pipe.poll():
                content = pipe.recv()
                if self.is_final(content):
                    self._remove(key)
                    yield Finished(key, content)
                    return
                yield Message(key, content)
        except (EOFError, OSError):
            process.join(5)
            self._remove(key)
            yield Lost(key, f"its process ended with {process.exitcode}")
            return
        if end <= time.monotonic():
            self._remove(key)
            yield Lost(key, "it took too long", timed_out=True)

    def kill(self) -> list[Lost]:
        lost = [Lost(key, "its process was stopped") for key in self.jobs]
        self.close()
        return lost

    def close(self) -> None:
        for key in list(self.jobs):
            self._remove(key)

    def _remove(self, key: str) -> None:
        process, pipe, _ = self.jobs.pop(key)
        process.kill()
        process.join()
        pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
