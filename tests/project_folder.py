"""A project in a temporary folder, and the real command run on it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.answers import assert_as_published
from tests.launcher import Launcher

# What `alembic init` writes, less the comments: an env.py that knows nothing of the orchestrator.
ENV_PY = """
from logging.config import fileConfig
from sqlalchemy import engine_from_config, pool
from alembic import context

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name)
target_metadata = None


def run_migrations_offline():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=target_metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    connectable = engine_from_config(
        config.get_section(config.config_ini_section, {}),
        prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
"""

REVISION = '''"""{message}"""
{imports}
from alembic import op
import sqlalchemy as sa
{header}
revision = {id!r}
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


@dataclass
class Ran:
    """A finished command."""

    command: list[str]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        answer = json.loads(self.out)
        if "schema" not in self.command:
            assert_as_published(answer)
        return answer

    def states(self) -> dict[str, str]:
        """Target name → state, of JSON output."""
        return {target["name"]: target["state"] for target in self.json["targets"]}

    def __str__(self) -> str:
        shown = " ".join(self.command)
        return f"$ {shown}  (exit {self.code})\n--- stdout\n{self.out}--- stderr\n{self.err}"


@dataclass
class Started:
    """A command that still runs."""

    command: list[str]
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return (self.folder / "err").read_text()

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal sends it to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the command and its workers with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def wait(self, code: int | None = 0, timeout: float = 120) -> Ran:
        """Wait for its end. Fails with its whole output unless it ends with ``code``."""
        self.process.wait(timeout)
        ran = Ran(
            self.command, self.process.returncode, (self.folder / "out").read_text(), self.err
        )
        assert code is None or ran.code == code, f"expected exit {code}\n{ran}"
        assert "Traceback" not in ran.err, ran
        return ran


_LAUNCHERS: dict[Path, Launcher] = {}
STARTED: list[Started] = []
"""What a test started: ended with it, or its process would warn in the midst of another test."""


def end_started() -> None:
    """End what a test left running."""
    while STARTED:
        started = STARTED.pop()
        if started.process.poll() is None:
            started.kill()


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for a condition, however busy the machine is. An exception counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Exception):
            if condition():
                return
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.05)


@dataclass
class ProjectFolder:
    """Writes a project, runs the command on it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    program: Path = field(default_factory=lambda: Path(sys.executable).with_name("orchestrator"))
    """The command: the one of the environment that the tests run in, unless told otherwise."""

    def config(self, text: str) -> None:
        (self.folder / "environments.toml").write_text(textwrap.dedent(text))

    def scripts(self, database: str = "app", env_py: str = ENV_PY) -> Path:
        location = self.folder / "migrations" / database
        (location / "versions").mkdir(parents=True, exist_ok=True)
        (location / "env.py").write_text(env_py)
        template = SCRIPT_MAKO
        (location / "script.py.mako").write_text(template)
        return location

    def revision(
        self,
        id: str,  # noqa: A002
        down: str | tuple[str, ...] | None,
        upgrade: str,
        downgrade: str = "pass",
        *,
        database: str = "app",
        header: str = "",
        message: str = "a revision",
    ) -> Path:
        path = self.folder / "migrations" / database / "versions" / f"{id}.py"
        said = header + upgrade + downgrade
        imports = {"os": "import os", "sys": "import sys", "time": "import time"}
        imports["context"] = "from alembic import context"
        body = REVISION.format(
            imports="\n".join(line for name, line in imports.items() if f"{name}." in said),
            message=message,
            id=id,
            down=down,
            header=header,
            upgrade=textwrap.indent(textwrap.dedent(upgrade).strip(), "    "),
            downgrade=textwrap.indent(textwrap.dedent(downgrade).strip(), "    "),
        )
        path.write_text(body)
        return path

    def run(
        self, *arguments: str, code: int | None = 0, timeout: float = 120, **options: Any
    ) -> Ran:
        """Run the command. Fails with its whole output unless it ends with ``code``."""
        if set(options) <= {"cwd"} and self._launcher.can_run(self._environ()):
            cwd = options.get("cwd", self.folder)
            ended = self._launcher.run(arguments, cwd, self._environ(), timeout)
            return self._checked(Ran(["orchestrator", *arguments], *ended), code)
        command = [str(self.program), *arguments]
        done = subprocess.run(
            command,
            cwd=options.pop("cwd", self.folder),
            env=self._environ(),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            check=False,
            **options,
        )
        ran = Ran(["orchestrator", *arguments], done.returncode, done.stdout, done.stderr)
        return self._checked(ran, code)

    @property
    def _launcher(self) -> Launcher:
        if self.program not in _LAUNCHERS:
            _LAUNCHERS[self.program] = Launcher(self.program, plain_environ())
        return _LAUNCHERS[self.program]

    @staticmethod
    def _checked(ran: Ran, code: int | None) -> Ran:
        assert code is None or ran.code == code, f"expected exit {code}\n{ran}"
        assert "Traceback" not in ran.out + ran.err or "--debug" in ran.command, ran
        return ran

    def start(self, *arguments: str) -> "Started":
        """Start the command without waiting, in a process group of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            process = subprocess.Popen(
                [str(self.program), *arguments],
                cwd=self.folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        started = Started(["orchestrator", *arguments], process, folder)
        STARTED.append(started)
        return started

    def _environ(self) -> dict[str, str]:
        return {**plain_environ(), **self.environ}


def plain_environ() -> dict[str, str]:
    """Return the environment of a command, less what a test adds."""
    # Without bytecode every command compiles all that it imports, which no user's does.
    drop = ("ORCHESTRATOR_", "PYTHONDONTWRITEBYTECODE")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    return {**plain, "PYTHONWARNINGS": "error::ResourceWarning"}


SCRIPT_MAKO = '''"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
