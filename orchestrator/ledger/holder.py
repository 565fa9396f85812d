"""Who holds a run, and what proves that they are gone."""

import getpass
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PROC = Path("/proc")
_DEAD = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a run.

    ``boot``, ``namespace`` and ``started`` name it for ever on its machine; they are empty where
    there is no /proc.
    """

    user: str
    host: str
    pid: int
    boot: str = ""
    namespace: str = ""
    started: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid})"

    @classmethod
    def here(cls) -> "Holder":
        """This very process."""
        pid = os.getpid()
        user = str(pid)
        with suppress(OSError, KeyError, ImportError):  # a container may run as nobody it knows
            user = getpass.getuser()
        found = _started(pid)
        started = found[1] if found else ""
        return cls(user, socket.gethostname(), pid, _boot(), _namespace(), started)

    def is_gone(self) -> bool:
        """Whether it surely runs no more: asked on its own machine, where its process is gone.

        ``False`` where that can't be told.
        """
        if not (self.boot and self.namespace and self.started):
            return False
        if (self.boot, self.namespace) != (_boot(), _namespace()):
            return False
        found = _started(self.pid)
        if found is None:
            return not _exists(self.pid)
        return found[0] in _DEAD or found[1] != self.started

    def to_text(self) -> str:
        """Return it as a column holds it."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, value: str) -> "Holder":
        """Read ``to_text``."""
        return cls(**json.loads(value))


def _boot() -> str:
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return str((_PROC / "self/ns/pid").readlink())
    return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's, which /proc may hide
        return True
    return True


def _started(pid: int) -> tuple[str, str] | None:
    """State and start of a process, by the kernel's ticks since it booted."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # its own name may hold spaces and brackets
    return fields[0], fields[19]
