"""Applications from PyPI, in ``.venv-third-party``, an environment of their own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import pytest

from tests.project_folder import ProjectFolder, Ran
from tests.servers import MariaDB, Postgres, Server, unique

KINDS = ("mariadb", "mysql", "sqlite", "postgres")
PLAIN = "plain"
"""The database of each kind that plain Alembic migrates."""


class Plain:
    """Plain Alembic in the third-party environment: see ``plain.py``."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("plain.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            text=True,
        )

    def do(self, task: str, **arguments: Any) -> Any:
        """Let it do one task. Fails with all that the process said where it can't."""
        self._input.write(json.dumps({"task": task, **arguments}) + "\n")
        self._input.flush()
        answer = self._output.readline()
        if not answer:
            self._process.wait(60)
            self._errors.seek(0)
            pytest.fail(f"plain Alembic could not do {task}\n{self._errors.read().decode()}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)
        self._errors.close()

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin
        return self._process.stdin

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout
        return self._process.stdout


class Application:
    """An application's databases on every server: one for each tenant, one for plain Alembic."""

    def __init__(
        self,
        script_location: str,
        tenants: Sequence[str],
        project: ProjectFolder,
        servers: dict[str, Server],
    ) -> None:
        self.project, self._servers = project, servers
        self._script_location, self._prefix = script_location, unique("app")
        self._databases = [f"{self._prefix}_{tenant}" for tenant in (*tenants, PLAIN)]

    def __enter__(self) -> Self:
        for server in self._servers.values():
            server.create(*self._databases)
        (self.project.folder / "var").mkdir()
        python = self.project.program.with_name("python")
        self._plain = Plain(python, self.project.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._plain.close()
        for server in self._servers.values():
            server.drop(*self._databases)

    def template(self, kind: str) -> str:
        """What ``environments.toml`` says: the URL of every tenant, its password a secret."""
        if kind == "sqlite":
            return "sqlite:///var/{tenant}.db"
        server = self._servers[kind]
        variable = f"{kind.upper()}_PASSWORD"
        self.project.environ[variable] = server.password
        head, _, tail = server.url("DATABASE").partition(quote(server.password, safe=""))
        return f"{head}${{env:{variable}}}{tail}".replace("DATABASE", self._prefix + "_{tenant}")

    def is_mariadb(self) -> bool:
        """Whether the MySQL that the tests were given is MariaDB."""
        return "MariaDB" in self._servers["mariadb"].execute("SELECT VERSION()")[0][0]

    def plainly(self, task: str, kind: str, tenant: str = PLAIN, **arguments: Any) -> Any:
        """Let ``plain.py`` do a task on a database."""
        return self._plain.do(task, url=self._url(kind, tenant), **arguments)

    def alembic(self, kind: str, *arguments: str) -> dict[str, Any]:
        """Run the plain ``alembic`` command on its own database of that kind."""
        return self.plainly(
            "alembic", kind, script_location=self._script_location, arguments=arguments
        )

    def alembic_check(self, kind: str, tenant: str = PLAIN) -> list[Any]:
        """Kind, table and name of each difference that ``alembic check`` finds."""
        return self.plainly("check", kind, tenant, script_location=self._script_location)

    def schema(self, kind: str, tenant: str = PLAIN) -> dict[str, Any]:
        """All that SQLAlchemy reads of a database, and its version rows."""
        return self.plainly("schema", kind, tenant)

    def _url(self, kind: str, tenant: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self.project.folder}/var/{tenant}.db"
        return self._servers[kind].url(f"{self._prefix}_{tenant}")


def targets(ran: Ran, selector: str) -> list[dict[str, Any]]:
    """The targets of an environment, of a database in it, or a single one."""
    found = [t for t in ran.json["targets"] if f"{t['name']}/".startswith(f"{selector}/")]
    assert found, f"no target is in {selector}\n{ran}"
    return found


def differences(target: dict[str, Any]) -> list[Any]:
    """Kind, table and name of each difference that ``check`` found."""
    found = [[d["kind"], d["table"], d["name"]] for d in target["differences"]]
    return sorted(found, key=str)


def one_line(statement: str) -> str:
    """A statement without its line breaks and indents."""
    return " ".join(statement.split())


@pytest.fixture
def application(
    tmp_path: Path, mariadb: MariaDB, mysql: MariaDB, postgres: Postgres
) -> Iterator[Callable[..., Application]]:
    """Declare an application: its ``script_location``, its tenants."""
    python = third_party_python()
    with ExitStack() as stack:

        def make(script_location: str, *tenants: str) -> Application:
            project = ProjectFolder(tmp_path, program=python.with_name("orchestrator"))
            servers: dict[str, Server] = {
                "mariadb": mariadb,
                "mysql": mysql,
                "postgres": postgres,
            }
            made = Application(script_location, tenants, project, servers)
            return stack.enter_context(made)

        yield make


def third_party_python() -> Path:
    """The Python of the third-party environment. Make names it; then it must be there."""
    named = os.environ.get("THIRD_PARTY_PYTHON")
    python = Path(named or Path(__file__).parents[2] / ".venv-third-party" / "bin" / "python")
    if not named and not python.with_name("orchestrator").exists():
        pytest.skip("there is no .venv-third-party: run make .venv-third-party/.ready")
    return python
