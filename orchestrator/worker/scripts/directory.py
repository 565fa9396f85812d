"""A database's Alembic scripts, as Alembic sees them, loaded once per worker."""

import contextlib
import hashlib
import importlib.util
import re
import types
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic import util
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import HeadMaintainer, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import ResolutionError, RevisionError
from alembic.util import CommandError
from sqlalchemy import MetaData

from orchestrator.config.models import Database
from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import Revision
from orchestrator.worker.scripts.alembic_config import AlembicSettings, imported, read_settings
from orchestrator.worker.scripts.loading import IMPORT_STEP, BrokenScripts, checked, loaded

_OF_A_HISTORY = (
    "script_location",
    "version_locations",
    "path_separator",
    "version_path_separator",
    "recursive_version_locations",
    "sourceless",
)


class UnknownRevision(Exception):
    """The database is at a revision that the scripts don't have."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(f"the database is at revision '{revision}', which the scripts don't have")


@dataclass(frozen=True, slots=True)
class Scripts:
    """One database's revisions and ``env.py``."""

    name: str
    database: Database
    settings: AlembicSettings
    directory: ScriptDirectory
    config: AlembicConfig
    """Without a target: what ``revision`` writes files by."""
    code: dict[str, types.CodeType] = field(default_factory=dict)
    """Compiled revisions, by path."""
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The script location."""
        return Path(self.directory.dir)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the user's scripts are: the script location, and all version locations."""
        return (self.folder, *map(Path, self.directory._version_locations))

    @property
    def runs_env_to_write(self) -> bool:
        """Whether ``env.py`` runs for each revision that is written: ``revision_environment``."""
        option = getattr(self.config, "get_alembic_option", self.config.get_main_option)
        return bool(util.asbool(option("revision_environment")))

    def files(self) -> frozenset[Path]:
        """Every Python file in the version locations."""
        return frozenset(path for folder in self.folders[1:] for path in folder.rglob("*.py"))

    def assert_same_history(self, config: AlembicConfig) -> None:
        """Raise ``BrokenScripts`` where ``config`` names other scripts than were read."""
        for name in _OF_A_HISTORY:
            here, there = config.get_main_option(name), self.config.get_main_option(name)
            if here != there:
                raise BrokenScripts(
                    f"configure sets {name} to {here!r} here, and to {there!r} for another target",
                    "a database has one history for all its targets: let configure set the same "
                    "for each, or make two of it in environments.toml",
                )

    @property
    def version_table(self) -> VersionTable | None:
        """Where ``environments.toml`` says that the heads are, if it does."""
        name, schema = self.database.version_table, self.database.version_table_schema
        if name is None and schema is None:
            return None
        return VersionTable(name or VersionTable().name, schema)

    @property
    def may_say_version_table(self) -> bool:
        """Whether the text of ``env.py`` may pass a version table of its own."""
        if "env.py" not in self.texts:
            path = self.folder / "env.py"
            self.texts["env.py"] = path.read_text(errors="replace") if path.exists() else ""
        return "version_table" in self.texts["env.py"]

    @property
    def heads(self) -> tuple[str, ...]:
        """The newest revisions, sorted."""
        return tuple(sorted(self.directory.get_heads()))

    def ids(self, destination: str) -> tuple[str, ...]:
        """Return the revisions that a destination stands for, sorted. Raises as Alembic does."""
        found = self.directory.get_revisions([part.strip() for part in destination.split(",")])
        return tuple(sorted(script.revision for script in found if script is not None))

    def assert_known(self, heads: Iterable[str]) -> None:
        """Raise ``UnknownRevision`` for a head that the scripts don't have."""
        self.directory.get_heads()  # a history that can't be read is another error
        for head in heads:
            try:
                self.directory.revision_map.get_revision(head)
            except (ResolutionError, RevisionError, CommandError):
                raise UnknownRevision(head) from None

    def tops(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Return those of some known heads that come before no other, each once, sorted."""
        of = list(heads)
        below = {id_ for head in of for id_ in self.applied([head]) if id_ != head}
        return tuple(sorted(set(of) - below))

    def steps(self, verb: str, revision: str, heads: tuple[str, ...]) -> list[Any]:
        """Return Alembic's steps from ``heads``. Raises as ``alembic`` does."""
        destination = (
            tuple(part.strip() for part in revision.split(",")) if "," in revision else revision
        )
        if verb != "stamp" and ":" in revision:
            step = "name only where to go: each target starts where it is"
            raise BrokenScripts("Range revision not allowed", step)
        # Alembic's annotations are narrower than what its own commands pass.
        if verb == "upgrade":
            with self._complete():
                return list(self.directory._upgrade_revs(destination, heads))  # type: ignore[arg-type]
        if verb == "downgrade":
            with self._complete():
                return list(self.directory._downgrade_revs(revision, heads))  # type: ignore[arg-type]
        targets = destination if isinstance(destination, tuple) else (destination,)
        return list(self.directory._stamp_revs(targets, heads))

    def is_past(self, revision: str, heads: tuple[str, ...]) -> bool:
        """Whether ``heads`` are past ``revision``, to which Alembic has then no step to go up.

        It says nothing of it. A branch that another one depends on is reached, and not passed,
        without a row of its own in the version table.
        """
        asked = {part.strip() for part in revision.split(",")} - {"base"}
        if any(_is_relative(r) or r.rpartition("@")[2] in ("head", "heads") for r in asked):
            return False
        wanted = {s.revision for r in asked for s in self.directory.get_revisions(r) if s}
        passed = self._with_ancestors(heads) - set(heads)
        return bool(wanted & passed) if wanted else bool(heads)

    def steps_back(self, destination: tuple[str, ...], heads: tuple[str, ...]) -> list[Any]:
        """Return the steps down that revert what ``heads`` have and ``destination`` has not.

        Raises ``BrokenScripts`` where ``destination`` has more, ``UnknownRevision``.
        """
        self.assert_known(destination)
        doomed = self.applied(heads) - self.applied(destination)
        if not self.applied(destination) <= self.applied(heads):
            raise BrokenScripts(
                f"it is at {', '.join(heads) or 'nothing'}, from where going back does not lead to "
                f"{', '.join(destination) or 'base'}",
                "look with `orchestrator history` which of them comes first",
            )
        with self._complete():
            return [
                MigrationStep.downgrade_from_script(
                    self.directory.revision_map, self.directory.get_revision(revision)
                )
                for revision in self._downwards(doomed)
            ]

    @contextlib.contextmanager
    def _complete(self) -> Iterator[None]:
        """Raise ``BrokenScripts`` where a revision has no function for a step."""
        try:
            yield
        except AttributeError as error:
            scripts = self.directory.walk_revisions()
            script = next((each for each in scripts if each.module is error.obj), None)
            if script is None:
                raise
            message = f"revision {script.revision} ({script.path}) has no {error.name}()"
            if error.name == "downgrade":
                step = "write its downgrade(), or go back no further than to it"
                raise BrokenScripts(f"{message}: it can't be reverted", step) from None
            raise BrokenScripts(message, f"write its {error.name}()") from None

    def _downwards(self, revisions: set[str]) -> Iterator[str]:
        """Yield revisions, each before those that it follows or depends on."""
        left = sorted(revisions)
        while left:
            needed = {down for r in left for down in self._script(r)._all_down_revisions}
            yield from (top := [r for r in left if r not in needed])
            left = [r for r in left if r in needed]
            assert top, "a history has no cycles"

    def applied(self, heads: Iterable[str]) -> set[str]:
        """Return the revisions that are there where the version table says ``heads``."""
        found: set[str] = set()
        left = list(heads)
        while left:
            revision = left.pop()
            if revision not in found:
                found.add(revision)
                left += self._script(revision)._all_down_revisions
        return found

    def _script(self, revision: str) -> Script:
        return self.directory.get_revision(revision)

    def digest(self, revision: str) -> str:
        """Return the SHA-256 of a revision's file; nothing where there is no such revision."""
        try:
            return hashlib.sha256(Path(self._script(revision).path).read_bytes()).hexdigest()
        except (CommandError, UnknownRevision, OSError):
            return ""

    def _with_ancestors(self, heads: Iterable[str]) -> set[str]:
        found: set[str] = set()
        left = list(heads)
        while left:
            revision = left.pop()
            if revision not in found:
                found.add(revision)
                left += self.directory.get_revision(revision)._versioned_down_revisions
        return found

    def fresh(self, step: Any) -> Any:
        """Return a step's ``upgrade`` or ``downgrade`` from a module of its own.

        Alembic loads each revision once; here, one worker runs it for many targets, and what a
        revision keeps at module level for one tenant must not reach the next. The first target
        gets what Alembic loaded. So do all where the file can't be executed twice: it may add a
        class to a declarative base that it imports.
        """
        module = step.revision.module
        path, name = str(step.revision.path), module.__name__
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        if path in self.code:
            copy = importlib.util.module_from_spec(spec)
            with contextlib.suppress(Exception):
                exec(self.code[path], copy.__dict__)  # noqa: S102 - the user's own revision
                module = copy
        else:  # of a .py file, or of what was compiled of one: sourceless
            self.code[path] = spec.loader.get_code(name)  # type: ignore[union-attr]  # a file's has one
        return module.upgrade if step.is_upgrade else module.downgrade

    def metadata(self) -> MetaData | None:
        """Import the model that ``environments.toml`` names, if it names one."""
        if self.database.metadata is None:
            return None
        try:
            found = imported(self.database.metadata)
        except (ImportError, AttributeError) as error:
            raise BrokenScripts(
                f"metadata = '{self.database.metadata}' can't be imported: "
                f"{type(error).__name__}: {error}",
                IMPORT_STEP,
            ) from error
        return found if isinstance(found, MetaData) else found.metadata


def _is_relative(revision: str) -> bool:
    """``+2``, ``branch@+2``, ``ae10+2``: counted from where the target is, or from a revision."""
    return bool(re.search(r"[+-]\d+$", revision))


class _Simulated(HeadMaintainer):
    """Alembic's own bookkeeping of heads, without a database."""

    def __init__(self, heads: Iterable[str]) -> None:
        self.heads = set(heads)

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


def heads_after(heads: Iterable[str], steps: Iterable[Any]) -> tuple[str, ...]:
    """Return the heads that the version table must show once ``steps`` have run, sorted."""
    simulated = _Simulated(heads)
    for step in steps:
        simulated.update_to_step(step)
    return tuple(sorted(simulated.heads))


def load_scripts(
    name: str,
    database: Database,
    folder: Path,
    url: str | None = None,
    options: Namespace | None = None,
) -> Scripts:
    """Read a script directory, in whose folder and import path the process is left.

    ``configure`` comes before anything else of the project, for the target of ``url``. Raises
    ``CommandError`` where there is none, ``AlembicFileError`` for its configuration.
    """
    settings = read_settings(database, folder)
    settings.enter()
    if database.configure is None:
        config = settings.config()
        return Scripts(name, database, settings, checked(settings.directory(config)), config)
    settings.note_import_path()
    config = settings.config(url, options)
    with settings.customised(config):
        directory = loaded(settings.directory(config))
    return Scripts(name, database, settings, directory, config)


def revisions_of(steps: Sequence[Any]) -> tuple[Revision, ...]:
    """Return the revisions that steps apply or revert, in their order."""
    return tuple(revision_of(step.revision) for step in steps if hasattr(step, "revision"))


def revision_of(script: Script) -> Revision:
    """Return what people want to know of a revision file."""
    return Revision(
        id=script.revision,
        message=script.doc or "",
        down=script._versioned_down_revisions,
        branch_labels=tuple(sorted(script.branch_labels)),
        is_head=script.is_head,
        path=str(script.path),
        depends_on=script._resolved_dependencies,
    )
