"""What a tool is to a benchmark: files that it reads, and one command for all targets."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from benchmarks.subject import Subject

Revisions = Sequence[Sequence[str]]
"""The statements of each revision, oldest first."""


@dataclass(frozen=True)
class Invocation:
    """A command that migrates all targets of a subject."""

    command: tuple[str, ...]
    folder: Path
    text: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run it, whether it fails or not; what it writes to stderr is among its stdout."""
        return subprocess.run(
            self.command,
            cwd=self.folder,
            env={**os.environ, **self.environ},
            input=self.text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def seconds(self) -> float:
        """Return how long it takes. Raises ``RuntimeError`` with its output where it fails."""
        began = time.monotonic()
        done = self.run()
        seconds = time.monotonic() - began
        if done.returncode:
            raise RuntimeError(f"{self.command[0]} failed:\n{done.stdout}")
        return seconds


@dataclass(frozen=True)
class Tool:
    """A way to migrate every target of a subject."""

    label: str
    """Its row in a table, with ``{at_once}`` where the number belongs."""
    ready: Callable[[Subject, Revisions], Invocation]
    """Write what the tool reads, which no table counts, and return the command to count."""
    most: int | None = None
    """How many targets to time where it is slow. None: all."""
    retry: Callable[[Subject, str], Invocation] | None = None
    """What it tells to run, where that is another command, once a tenant is put right."""


def xargs(
    subject: Subject, command: Sequence[str], lines: Sequence[str], environ: Mapping[str, str]
) -> Invocation:
    """``xargs`` over a command, which gets the words of one line for each target."""
    each = ("xargs", "-P", str(subject.parallel), "-L1", *command)
    return Invocation(each, subject.folder, "".join(f"{line}\n" for line in lines), environ)


def revisions(statements: Sequence[str]) -> Iterator[list[str]]:
    """Yield the statements of each revision, without Alembic's own."""
    own: list[str] = []
    for statement in statements:
        if "alembic_version" not in statement:
            own.append(statement)
        elif own:
            yield own
            own = []


def script(statements: Sequence[str]) -> str:
    """Return the statements as the text of an SQL file."""
    return "".join(f"{statement};\n" for statement in statements)


def renamed(url: str, postgresql: str, mysql: str) -> URL:
    """Return a URL with the scheme by which another program knows its server."""
    parsed = make_url(url)
    known = postgresql if parsed.get_backend_name() == "postgresql" else mysql
    return parsed.set(drivername=known, query={})
