"""One run of ``env.py`` for one target: what it asked for, and what becomes of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext

from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.session import Session
from orchestrator.worker.environment.configure import Configured
from orchestrator.worker.environment.connections import Connections
from orchestrator.worker.environment.refusals import NotRun
from orchestrator.worker.scripts.directory import Scripts

Steps = Callable[[tuple[str, ...], "Execution"], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class EnvPyProfile:
    """What an ``env.py`` does, as far as it must be known before it runs."""

    several: bool = False
    """It configures several databases or schemas, one after the other."""
    plain: bool = True
    """Its version table is ``alembic_version`` where unqualified names lead."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What its engine connects with besides what the URL says: ``connect_args``."""


class Execution:
    """One run of ``env.py`` for one target."""

    def __init__(
        self,
        scripts: Scripts,
        session: Session,
        connections: Connections,
        profile: EnvPyProfile | None,
    ) -> None:
        self.scripts, self.session, self.connections = scripts, session, connections
        self.profile = profile
        """``None``: they are to be learnt, and nothing is to be migrated."""
        self.calls: list[Configured] = []
        """Each call of ``context.configure()``."""
        self.place = session.place
        """Where ``env.py`` wants its migrations, if not elsewhere than in the target."""
        self.migrated: list[Configured] = []
        """The calls whose migrations were run."""
        self.error: BaseException | None = None
        """What a revision raised, also where ``env.py`` has caught it."""
        self.environment: EnvironmentContext

    @property
    def table(self) -> VersionTable:
        """The version table of the target."""
        return self.migrated[-1].table

    @property
    def seen(self) -> EnvPyProfile:
        """What this run says of its ``env.py``."""
        own = {None, self.session.location.schema}
        plain = all(
            call.table.name == VersionTable().name and call.table.schema in own
            for call in self.calls
        )
        several = len({(call.database, call.place, call.table) for call in self.calls}) > 1
        plain = plain and self.place == self.session.place
        return EnvPyProfile(several, plain, self.connections.arguments)

    def takes(self, call: Configured) -> bool:
        """Whether a call's migrations are run: those of the target, and once.

        Of several calls the one that leads to the target is about it; a single one is, wherever
        it leads. Raises ``NotRun`` where that comes out too late.
        """
        if self.profile is None:
            return False
        if not self.migrated:
            return call.is_target or not self.profile.several
        if call.is_target and not all(earlier.is_target for earlier in self.migrated):
            raise NotRun(
                f"{self.env_py} migrates several databases, and only sometimes: its round for "
                f"{self.migrated[0]} was taken for the target's",
                "let it go through the same databases for each target",
            )
        return call.is_target and call.table not in {earlier.table for earlier in self.migrated}

    @property
    def env_py(self) -> Path:
        """The file."""
        return self.scripts.folder / "env.py"

    def assert_ran(self) -> None:
        """Raise ``NotRun`` unless ``env.py`` ran migrations for the target."""
        if self.migrated:
            return
        if self.profile is not None and self.profile.several and self.calls:
            others = ", ".join(dict.fromkeys(str(call) for call in self.calls))
            raise NotRun(
                f"{self.env_py} migrates several databases, and none of them is the target: "
                f"{others}",
                "let it take sqlalchemy.url of Alembic's Config; or make what it goes through "
                "targets of their own: a schema with schema = …, one of alembic.ini's databases "
                "with ini_section = …",
            )
        raise NotRun(
            f"{self.env_py} ran no migrations: it must call context.configure() and "
            "context.run_migrations()"
        )
