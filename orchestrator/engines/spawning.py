"""How multiprocessing starts our processes, and nobody else's.

It asks the whole process for what a new one gets: its main script, its environment. Changing those
for a moment would be seen by every other thread, so the two functions that ask are wrapped, once,
and answer differently only in a thread that is starting one of ours.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from multiprocessing import spawn, util
from typing import Any

_ours = threading.local()


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Let what this thread starts inside be started as ours are."""
    _ours.starting = True
    try:
        yield
    finally:
        _ours.starting = False


def _without_main(ask: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    # A caller's program without the `if __name__ == "__main__"` idiom would run again in every
    # worker, which import the parent's main script.
    @wraps(ask)
    def answer(name: str) -> dict[str, Any]:
        data = ask(name)
        if getattr(_ours, "starting", False):
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    return answer


def _with_safe_path(
    start: Callable[[Any, Sequence[Any], Sequence[int]], int],
) -> Callable[[Any, Sequence[Any], Sequence[int]], int]:
    # The fork server would find modules in the current folder first, where a folder named
    # "alembic" is not rare. Its workers get the parent's path.
    @wraps(start)
    def begin(path: Any, arguments: Sequence[Any], kept: Sequence[int]) -> int:
        if getattr(_ours, "starting", False):
            program, *rest = arguments
            arguments = [program, "-P", *rest]
        return start(path, arguments, kept)

    return begin


spawn.get_preparation_data = _without_main(spawn.get_preparation_data)  # type: ignore[assignment]
util.spawnv_passfds = _with_safe_path(util.spawnv_passfds)  # type: ignore[assignment]
