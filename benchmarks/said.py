"""What the output of a run says of the target that failed."""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from benchmarks.subject import Subject
from tests.servers import PASSWORD

CAUSE = "already exists"
"""What all servers say of a table that is there, and so every tool that passes it on."""
MOST_LINES = 4
MOST_CHARACTERS = 160


class Said(NamedTuple):
    """Whether the output names the target and the cause, with the lines that do."""

    which: str
    why: str
    lines: tuple[str, ...]


def said(output: str, tenants: Sequence[str], failed: int) -> Said:
    """Look for the failed target's name and the server's message in what a run printed."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    name = tenants[failed]
    others = {_shape(line, tenant) for line in lines for tenant in tenants if tenant != name}
    own = [line for line in lines if _has(line, name) and _shape(line, name) not in others]
    causes = [line for line in lines if CAUSE in line]
    why = "yes" if causes else "no"
    told = tuple(dict.fromkeys((*own, *causes)))[:MOST_LINES] or tuple(lines[-MOST_LINES:])
    return Said(_which(lines, own, causes, name), why, told)


def shortened(line: str, subject: Subject) -> str:
    """Return a line without the password, the folder and what is too long."""
    for secret in (PASSWORD, quote(PASSWORD, safe="")):
        line = line.replace(secret, "***")
    line = line.replace(str(subject.folder), "FOLDER").replace("`", "'")
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} …"


def _which(lines: list[str], own: list[str], causes: list[str], name: str) -> str:
    if any(_has(line, name) for line in causes):
        return "with the cause"
    if own:
        return "in another line"
    if any(_has(line, name) for line in lines):
        return "only as it names those that are done"
    return "no"


def _shape(line: str, name: str) -> str:
    """Return a line that is the same for all targets to which the same happened."""
    return re.sub(r"\d+", "#", re.sub(rf"\b{name}\b", "NAME", line))


def _has(line: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", line) is not None
