"""Where databases keep their heads: written down in a file, or known to ``env.py`` alone."""

import os.path
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.alembic_file import AlembicFileError, script_location
from orchestrator.config.models import Database
from orchestrator.dispatch.observer import NullObserver
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.arguments import XOfClass, x_of_class
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.snapshot.env_py_text import read_env_py
from orchestrator.worker.jobs import Verb

Group = tuple[str, str, XOfClass]
"""An environment, a database, arguments: what one ``env.py`` is run with."""
_TRIES = 3
"""How many targets are tried until ``env.py`` could be asked where its versions are."""


@dataclass(slots=True)
class VersionTables:
    """Where the heads of targets are: as it is written down, or as ``env.py`` says when it runs.

    One ``env.py``, with the same arguments, says the same for all of its targets.
    """

    workers: Workers
    _tables: dict[Group, VersionTable] = field(default_factory=dict)
    _failures: dict[Group, Failure] = field(default_factory=dict)
    """Why ``env.py`` could not be asked."""

    def group(self, target: Target) -> Group:
        """Return what ``env.py`` is run with for a target."""
        arguments = x_of_class(self.workers.file.config, target)
        return target.environment, target.database, arguments

    def of(self, target: Target) -> VersionTable:
        """Return where the heads of a target are, once that is known."""
        return self._tables[self.group(target)]

    def failure(self, target: Target) -> Failure | None:
        """Return why its ``env.py`` could not be asked, where it had to be."""
        return self._failures.get(self.group(target))

    def unsure(self, targets: Iterable[Target]) -> set[Group]:
        """Return what has a version table that is written down nowhere."""
        file = self.workers.file
        groups = dict.fromkeys(map(self.group, targets))
        for group in groups:
            if group not in self._tables:
                table = written_version_table(file.config.databases[group[1]], file.folder)
                if table is not None:
                    self._tables[group] = table
        return {group for group in groups if group not in self._tables}

    def ask(self, targets: Sequence[Target]) -> None:
        """Let ``env.py`` tell, for one target in place of all that it is run alike for."""
        group = self.group(targets[0])
        self._tables[group] = VersionTable()
        for target in targets[:_TRIES]:
            outcome = self.by_env_py([target])[target.name]
            if outcome.data is not None:
                self._failures.pop(group, None)
                self._tables[group] = outcome.data
                return
            if outcome.failure is not None:
                self._failures[group] = outcome.failure

    def by_env_py(self, targets: Sequence[Target]) -> dict[str, Outcome]:
        """Return where targets stand as a run of ``env.py`` finds it; ``data`` is the table."""
        return self.workers.run(Verb.STATUS, targets, NullObserver())

    def confirmed(self, targets: Sequence[Target]) -> list[Target]:
        """Return those targets whose ``env.py`` keeps its versions where we read them.

        It is run for one of each group: what it imports may say another place than its text, and an
        old version table be left at the place where we looked.
        """
        groups: dict[Group, list[Target]] = {}
        for target in targets:
            groups.setdefault(self.group(target), []).append(target)
        asked = [of[0] for of in groups.values()]
        outcomes = self.workers.run(Verb.STATUS, asked, NullObserver(), learn=True) if asked else {}
        return [
            target
            for group, of in groups.items()
            if outcomes[of[0].name].data == self._tables[group]
            if outcomes[of[0].name].state is State.CURRENT
            for target in of
        ]


def written_version_table(database: Database, folder: Path) -> VersionTable | None:
    """Return where the heads are by the file, else by the text of ``env.py``.

    ``None`` where that text computes it: only a run of ``env.py`` can tell then. A module that
    ``env.py`` imports may still pass another one; a target without this one asks for that.
    """
    if database.version_table is not None or database.version_table_schema is not None:
        name = database.version_table or VersionTable().name
        return VersionTable(name, database.version_table_schema)
    text = _env_py(database, folder)
    if "version_table" not in text:
        return VersionTable()
    found = read_env_py(text)
    if found.version_table is None and found.version_table_schema is None:
        return None
    return VersionTable(found.version_table or VersionTable().name, found.version_table_schema)


def _env_py(database: Database, folder: Path) -> str:
    try:
        location, base, _ = script_location(database, folder)
        with open(os.path.join(base, location, "env.py"), errors="replace") as file:  # noqa: PTH118, PTH123 - Path's may raise where it may not look
            return file.read()
    except (AlembicFileError, OSError):  # a package's, or no file: only Alembic finds it
        return "version_table"
