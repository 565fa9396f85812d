"""What an ``env.py`` and its revisions are like, found out without changing anything."""

import os
import sys
import sysconfig
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.dialects import Timeouts
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.worker.autogenerate.soundness import reasons
from orchestrator.worker.connection.session import open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.env_py import run_environment
from orchestrator.worker.failures import failure_of
from orchestrator.worker.jobs import Examined, Job
from orchestrator.worker.migration.heads import asked
from orchestrator.worker.scratch.database import scratch
from orchestrator.worker.scripts.directory import Scripts
from orchestrator.worker.scripts.loading import BrokenScripts

_TIMEOUTS = Timeouts(lock=5.0)
_ALL = "*"
"""In place of a name: everything that there is was read."""
# Packages by which applications read their settings.
_READERS = frozenset(
    {"pydantic_settings", "decouple", "environs", "environ", "dotenv", "dynaconf", "starlette"}
)


def examine(job: Job, target: str, context: Context) -> Outcome:
    """Run ``env.py``, but no revision, on the scratch database. ``data`` is an ``Examined``.

    A failure is of ``env.py``: what is known of its revisions is there all the same. With
    ``scripts_only`` nothing else is looked at.
    """
    with _watched_environ() as reads:
        scripts = context.scripts(job)
        found = Examined()
        try:
            revisions = list(scripts.directory.walk_revisions())
            one_way = [r.revision for r in revisions if not hasattr(r.module, "downgrade")]
            found = Examined(scripts.heads, len(revisions), None, tuple(one_way))
        except BrokenScripts as error:
            found = Examined(unreadable=str(error))
        arguments, _ = asked(job, context)
        failure, own = (None, ()) if job.scripts_only else _run(job, context, scripts, arguments)
    names = tuple(sorted(set(_of_the_project(reads, scripts.folders))))
    unset = tuple(name for name in names if name != _ALL and name not in os.environ)
    data = replace(found, reads=names, unset=unset, of_its_own=own)
    state = State.DONE if failure is None else State.FAILED
    return Outcome(target, state, found.heads, found.heads, failure=failure, data=data)


def _run(
    job: Job, context: Context, scripts: Scripts, arguments: Namespace
) -> tuple[Failure | None, tuple[str, ...]]:
    """Run ``env.py``; return why that failed, and why its comparisons are one target's alone."""
    with scratch(job, context) as location:
        try:
            with open_session(location, _TIMEOUTS) as session:
                run = run_environment(
                    scripts, session, lambda *_: [], arguments, profile=None, dont_mutate=True
                )
                options = run.environment.context_opts
                return None, tuple(reasons(options, run.environment.get_context().impl))
        except BaseException as error:  # noqa: BLE001 - env.py may raise anything
            return failure_of(error, location.backend, scripts.folders), ()


@contextmanager
def _watched_environ() -> Iterator[set[tuple[str, str]]]:
    """Within it, collect which environment variables are asked for, and by which file."""
    reads: set[tuple[str, str]] = set()
    environ: Any = os.environ
    kept = type(environ)
    environ.__class__ = _watching(kept, reads)
    try:
        yield reads
    finally:
        environ.__class__ = kept


def _watching(of: type, reads: set[tuple[str, str]]) -> type:
    listing: set[tuple[str, int]] = set()

    class Watching(of):  # type: ignore[misc]  # os.environ's own class
        def __getitem__(self, key: str) -> str:
            place = _caller()
            if place not in listing:
                reads.add((key, place[0]))
            return super().__getitem__(key)  # type: ignore[no-any-return]

        def __iter__(self) -> Iterator[str]:
            place = _caller()
            listing.add(place)
            reads.add((_ALL, place[0]))
            return super().__iter__()  # type: ignore[no-any-return]

        def __contains__(self, key: object) -> bool:
            if isinstance(key, str):
                reads.add((key, _caller()[0]))
            return super().__contains__(key)  # type: ignore[no-any-return]

    return Watching


def _of_the_project(reads: set[tuple[str, str]], folders: Sequence[Path]) -> Iterator[str]:
    """Yield the names that the project itself asked for, or what it reads its settings with.

    A project that is installed is the package that its scripts are in.
    """
    packages = _READERS | {name for folder in folders if (name := _package(folder)) is not None}
    for name, file in reads:
        path = Path(file)
        package = _package(path)
        ours = path.is_relative_to(Path(__file__).parents[1])
        if package is not None:
            if package in packages:
                yield name
        elif path.exists() and not ours and not path.is_relative_to(_STDLIB):
            yield name


def _package(path: Path) -> str | None:
    """The installed package that a file is of."""
    of = next((folder for folder in _PACKAGES if path.is_relative_to(folder)), None)
    return None if of is None else path.relative_to(of).parts[0]


_WITHIN = (__file__, os.__file__)
_STDLIB = Path(sysconfig.get_path("stdlib"))
_PACKAGES = tuple({Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")})


def _caller() -> tuple[str, int]:
    """File and line of who asked, past those that only hand on: ``os.getenv``, ``Mapping.get``."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _hands_on(frame.f_code.co_filename):
        frame = frame.f_back
    return ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def _hands_on(file: str) -> bool:
    return file in _WITHIN or file.startswith("<frozen ") or file.endswith("_collections_abc.py")
