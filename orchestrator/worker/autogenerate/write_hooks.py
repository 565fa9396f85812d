"""``[post_write_hooks]``: programs that Alembic runs on a revision file once it is written."""

import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from alembic.script import write_hooks

_MOST = 4_000


@contextlib.contextmanager
def noticed_hooks() -> Iterator[list[str]]:
    """Within it, collect what is to be told of hooks that failed. Alembic passes over them.

    What a hook prints is told only then.
    """
    failed: list[str] = []

    def run(command: Sequence[str], **options: Any) -> None:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **options)
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip()[-_MOST:]
            shown = shlex.join([*command[:2], "…"] if len(command) > 3 else command)
            failed.append(f"post_write_hooks: {shown} ended with {done.returncode}\n{said}".strip())

    module: Any = write_hooks
    module.subprocess = SimpleNamespace(run=run, DEVNULL=subprocess.DEVNULL)
    try:
        yield failed
    finally:
        module.subprocess = subprocess
