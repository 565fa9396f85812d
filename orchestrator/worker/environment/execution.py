"""One run of ``env.py`` for one target: what it asked for, and what becomes of it."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext

from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.session import Session
from orchestrator.worker.environment.configure import Configured
from orchestrator.worker.environment.connections import Connections
from orchestrator.worker.environment.refusals import NotRun
from orchestrator.worker.scripts.directory import Scripts
from orchestrator.worker.statements.journal import Journal
from orchestrator.worker.statements.recorder import StatementRecorder

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


def watched(
    steps: list[Any], run: Execution, recorder: StatementRecorder, journal: Journal | None = None
) -> Iterator[Any]:
    """Give out steps that tell recorder and journal when they start and end; watch the session.

    A lock is lost only with its connection, and the session's own never reconnects: on a
    direct one the first check is enough. A pooler could swap the server's session at any time.
    Where unqualified names lead is asked after each revision.
    """
    run.connections.journal = journal
    if journal is not None:
        journal.expect([step.revision.revision for step in steps])
    for number, step in enumerate(steps):
        check = run.session.pooled or not number
        step.migration_fn = _watched(step, run, recorder, check=check)
        yield step


def told(steps: list[Any], recorder: StatementRecorder) -> Iterator[Any]:
    """Give out steps that tell ``recorder`` when they start and end, and nobody else."""
    for step in steps:
        step.migration_fn = _told(step, recorder)
        yield step


def _told(step: Any, recorder: StatementRecorder) -> Callable[..., None]:
    revision, function = step.revision.revision, step.migration_fn

    @wraps(function)
    def migration_fn(**arguments: Any) -> None:
        recorder.begin(revision)
        function(**arguments)
        recorder.end()

    return migration_fn


def _watched(
    step: Any, run: Execution, recorder: StatementRecorder, *, check: bool
) -> Callable[..., None]:
    revision, journal = step.revision.revision, run.connections.journal

    @wraps(step.migration_fn)  # Alembic logs it by its name
    def migration_fn(**arguments: Any) -> None:
        try:
            if check:
                run.session.assert_own(run.place)
            if recorder.begin(revision) and not (journal and journal.covers(revision)):
                os._exit(0)  # as if killed: what was not recorded would be done unseen
            with run.connections.revising(), _journaled(revision, journal):
                run.scripts.fresh(step)(**arguments)
            recorder.end()
            run.session.assert_in_place(run.place)
        except BaseException as error:
            run.error = error
            raise

    return migration_fn


@contextlib.contextmanager
def _journaled(revision: str, journal: Journal | None) -> Iterator[None]:
    if journal is None:
        yield
        return
    journal.begin(revision)
    try:
        yield
    finally:
        journal.end()
