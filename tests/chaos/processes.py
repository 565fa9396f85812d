"""The processes of a command that a test started, found by their session, and killed."""

import os
import random
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Member:
    """A living process of a session."""

    pid: int
    parent: int
    command: str


def members(session: int) -> list[Member]:
    """Return the living processes of a session: all that one command has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            state, parent, _, of, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(of) == session and state not in "ZX":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(Member(int(folder.name), int(parent), command))
    return found


def workers(session: int) -> list[Member]:
    """Return the worker processes of a command."""
    all_of = members(session)
    servers = {member.pid for member in all_of if "forkserver" in member.command}
    # A worker has the command line of the fork server that it was forked from.
    return [member for member in all_of if member.parent in servers]


def fork_servers(session: int) -> list[Member]:
    """Return the fork server of a command."""
    mine = workers(session)
    return [m for m in members(session) if "forkserver" in m.command and m not in mine]


def kill(found: list[Member], luck: random.Random, *, one: bool) -> int:
    """Kill one or all of some processes, and return how many."""
    chosen = [luck.choice(found)] if one and found else found
    send(chosen, signal.SIGKILL)
    return len(chosen)


def send(found: Iterable[Member], number: signal.Signals) -> None:
    """Send a signal to those processes that still live."""
    for member in found:
        with suppress(ProcessLookupError):
            os.kill(member.pid, number)
