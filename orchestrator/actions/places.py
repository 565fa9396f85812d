"""Where the things of a project are written down, in files and lines."""

import os.path
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.model_places import ModelFiles
from orchestrator.config.load import ConfigFile
from orchestrator.config.positions import Positions
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Difference, Outcome, Revision

Pair = tuple[Target, Outcome]
ModelKey = tuple[str, str | None, str | None]
"""A database, and the table and the column of its models."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    path: str
    """Relative to the root of the project's repository where it is below that, else absolute."""
    line: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where what a result is about is written down: read once, told without a file."""

    file: Place
    environments: Mapping[str, Place]
    databases: Mapping[str, Place]
    revisions: Mapping[tuple[str, str], Place]
    """By database and id."""
    models: Mapping[ModelKey, Place]

    def environment(self, name: str) -> Place:
        """Return the place of an environment's table."""
        return self.environments.get(name, self.file)

    def database(self, name: str) -> Place:
        """Return the place of a database's table."""
        return self.databases.get(name, self.file)

    def revision(self, database: str, id_: str | None) -> Place | None:
        """Return the place of a revision's ``upgrade()``, where it is known."""
        return None if id_ is None else self.revisions.get((database, id_))

    def model(self, database: str, differences: Iterable[Difference]) -> Place:
        """Return the place of the first model that differs; of the database, if none is known."""
        keys = ((database, one.table, one.name) for one in differences)
        found = (self.models[key] for key in keys if key in self.models)
        return next(found, self.database(database))


def find_places(
    file: ConfigFile, pairs: Iterable[Pair], history: Callable[[str], Sequence[Revision]]
) -> Places:
    """Look for what outcomes are about.

    ``history`` returns the revisions of a database, or none where they can't be read. It is asked
    only where a revision failed: others come with their paths.
    """
    pairs, root = list(pairs), _root(file.folder)
    positions = Positions(file.text)

    def table(*path: str) -> Place:
        return Place(_shown(file.path, root), positions.find(path, on_key=True).line)

    config = file.config
    failed = {
        target.database: ()
        for target, outcome in pairs
        if outcome.failure is not None and outcome.failure.revision is not None
    }
    known = {(name, one.id): one.path for name in failed for one in history(name)}
    known |= {(t.database, one.id): one.path for t, outcome in pairs for one in outcome.revisions}
    return Places(
        Place(_shown(file.path, root), 1),
        {name: table("environments", name) for name in config.environments},
        {name: table("databases", name) for name in config.databases},
        {key: _upgrade(path, root) for key, path in known.items() if path is not None},
        _models(file, pairs, root),
    )


def place_of(path: Path, line: int) -> Place:
    """Return a line's place in the repository that its file is in."""
    whole = Path.cwd() / path
    return Place(_shown(whole, _root(whole.parent)), line)


def _models(file: ConfigFile, pairs: Sequence[Pair], root: Path) -> dict[ModelKey, Place]:
    keys = {
        (target.database, one.table, one.name): ()
        for target, outcome in pairs
        for one in outcome.differences
    }
    of = {name: ModelFiles.of(file, name) for name in {key[0] for key in keys}}
    found = {key: of[key[0]].find(key[1], key[2]) for key in keys}
    return {
        key: Place(_shown(place[0], root), place[1])
        for key, place in found.items()
        if place is not None
    }


def _upgrade(path: str, root: Path) -> Place:
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    at = (n for n, text in enumerate(lines, 1) if text.startswith("def upgrade("))
    return Place(_shown(Path(path), root), next(at, 1))


def _shown(path: Path, root: Path) -> str:
    found = os.path.relpath(path, root)
    return path.as_posix() if found.startswith("..") else Path(found).as_posix()


def _root(folder: Path) -> Path:
    """Return the root of the repository that a folder is in; the folder, if it is in none."""
    above = (folder, *folder.parents)
    return next((path for path in above if (path / ".git").exists()), folder)
