"""Jobs that tell an engine's tests what became of them, and what it takes to run them."""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.engines.base import Engine, EngineEvent, Finished, Message

UNREADABLE = ("done", "unreadable")
"""An answer that engines of other machines can't read, as one that holds a set can't be sent."""


def serve(pipe: Any, greeting: str) -> None:
    """Do what each job says, until nobody hears it."""
    with contextlib.suppress(EOFError):
        _serve(pipe, greeting)


def _serve(pipe: Any, greeting: str) -> None:
    while True:
        deed, value = pipe.recv()
        if deed in ("talk", "ask"):
            for word in range(value):
                pipe.send(("word", word))
            deed = pipe.recv() if deed == "ask" else deed
        elif deed in ("unreadable", "unsendable"):
            pipe.send(UNREADABLE if deed == "unreadable" else ("done", {deed}))
            continue
        elif deed == "sleep":
            time.sleep(value)
        elif deed == "write":
            path, pause = value
            time.sleep(pause)
            Path(path).touch()
        else:
            _end(pipe, deed, value)
        pipe.send(("done", (greeting, os.getpid(), deed)))


def _end(pipe: Any, deed: str, value: Any) -> None:
    """End in one of the ways in which a worker can."""
    if deed == "exit":
        os._exit(value)
    elif deed == "kill":
        os.kill(os.getpid(), value)
    elif deed == "fork":
        if not os.fork():
            time.sleep(value)
            os._exit(0)
        pipe.send(("word", "forked"))
        os._exit(3)
    elif deed == "close":
        pipe.close()
        time.sleep(60)


def run(
    engine: Engine, jobs: Mapping[str, tuple[str, Any]], timeout: float = 30, *, at_once: int = 3
) -> dict[str, list[EngineEvent]]:
    """Run jobs, whose kind is what follows "of" in their key, and return the events of each."""
    told: dict[str, list[EngineEvent]] = {key: [] for key in jobs}
    waiting = list(jobs)
    ended = 0
    while ended < len(jobs):
        while waiting and engine.busy < at_once:
            key = waiting.pop(0)
            engine.submit(key, jobs[key], timeout, kind=kind_of(key))
        for event in engine.wait(5):
            told[event.key].append(event)
            ended += not isinstance(event, Message)
    return told


def kind_of(key: str) -> str:
    """Return the kind of a job: what follows \"of\" in its key."""
    return key.partition(" of ")[2]


def pids_of(told: dict[str, list[EngineEvent]]) -> list[int]:
    """Which process did each job."""
    ends = [events[-1] for events in told.values()]
    assert all(isinstance(end, Finished) for end in ends), ends
    return [end.content[1][1] for end in ends if isinstance(end, Finished)]


def is_final(content: Any) -> bool:
    """Tell the message that ends a job."""
    return bool(content[0] == "done")
