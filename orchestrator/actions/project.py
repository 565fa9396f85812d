"""``Project``: the verbs of the command line for Python programs."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.actions.drive import Drive
from orchestrator.actions.histories import history_of
from orchestrator.actions.interrupts import Interrupts
from orchestrator.actions.prepare import check_scripts, find_targets, make_ready
from orchestrator.actions.results import (
    History,
    NewRevision,
    Observer,
    Result,
    Silent,
    SqlFiles,
)
from orchestrator.actions.sqlfiles import write_sql_files
from orchestrator.actions.works import works
from orchestrator.config.load import ConfigFile, load
from orchestrator.config.secrets import Secrets
from orchestrator.config.suggest import did_you_mean
from orchestrator.engines.pool import Finished, Lost, Pool, start_fork_server
from orchestrator.errors import TargetsFailed, UsageError
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.order import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.inspection.tenants import read_tenants
from orchestrator.rollout.limits import limits
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.schedule import Work
from orchestrator.worker.entry import PRELOAD, work
from orchestrator.worker.jobs import Job, NewScript, Verb

_AUTHORING_TIMEOUT = 3600.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Which targets a command is about; empty means all of the promotion path."""

    selectors: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


ALL = Selection()


class Project:
    """A fleet declared in one ``environments.toml``.

    Every verb returns a frozen result; what went wrong on single targets is in it. Raises
    ``OrchestratorError`` where nothing could be started. Tenants are read and commands of secrets
    run once per ``Project``, so that what was confirmed is what runs; make a new one to read again.
    """

    def __init__(
        self, file: ConfigFile, observer: Observer | None = None, x: Sequence[str] = ()
    ) -> None:
        self.file = file
        self.x = tuple(x)
        """Arguments as of ``alembic -x``, besides those of the file."""
        self.observer = observer or Silent()
        self._secrets = Secrets(file.folder)
        self._tenants: dict[str, tuple[TenantLabels, ...]] = {}

    @classmethod
    def load(
        cls, path: Path | None = None, observer: Observer | None = None, x: Sequence[str] = ()
    ) -> "Project":
        """Load ``path``, or the nearest ``environments.toml``. Raises ``ConfigError``."""
        return cls(load(path), observer, x)

    def targets(self, selection: Selection = ALL) -> tuple[Target, ...]:
        """Return the selected targets in the order in which they would run. Connects only to
        where tenants are discovered."""
        return find_targets(
            self.file,
            self._tenants_of,
            selection.selectors,
            selection.where,
            selection.exclude,
        )

    def status(self, selection: Selection = ALL) -> Result:
        """Read every target's heads, and tell which revisions are pending."""
        return self._read(Verb.STATUS, selection)

    def check(self, selection: Selection = ALL) -> Result:
        """Compare the models with every target, as ``alembic check`` does. Changes nothing."""
        return self._read(Verb.CHECK, selection)

    def upgrade(
        self, selection: Selection = ALL, revision: str = "heads", *, dry_run: bool = False
    ) -> Result:
        """Upgrade in configured order. ``dry_run`` only tells what would run."""
        return self._change(Verb.UPGRADE, selection, revision, dry_run=dry_run)

    def downgrade(self, selection: Selection, revision: str, *, dry_run: bool = False) -> Result:
        """Downgrade, in the reverse of the configured order."""
        return self._change(Verb.DOWNGRADE, selection, revision, dry_run=dry_run)

    def stamp(
        self, selection: Selection, revision: str, *, purge: bool = False, dry_run: bool = False
    ) -> Result:
        """Write ``revision`` into the version tables without running anything.

        ``purge`` forgets what they say first, for targets at a revision that nobody knows.
        """
        return self._change(Verb.STAMP, selection, revision, purge=purge, dry_run=dry_run)

    def sql(self, folder: Path, selection: Selection = ALL, revision: str = "heads") -> SqlFiles:
        """Write the SQL that an upgrade would run, a file for each target that needs one."""
        result = self._read(Verb.SQL, selection, revision)
        return write_sql_files(folder, result)

    def revision(
        self,
        database: str,
        message: str,
        *,
        empty: bool = False,
        head: str = "head",
        splice: bool = False,
        branch_label: str | None = None,
        version_path: str | None = None,
        rev_id: str | None = None,
        depends_on: Sequence[str] = (),
    ) -> NewRevision:
        """Write a revision file, by autogenerate against a scratch database unless ``empty``.

        The other arguments are those of ``alembic revision``. Raises ``TargetsFailed`` where the
        scratch database can't be brought to head, or Alembic refuses.
        """
        script = NewScript(
            message=message,
            empty=empty,
            head=head,
            splice=splice,
            branch_label=branch_label,
            version_path=version_path,
            rev_id=rev_id,
            depends_on=tuple(depends_on),
        )
        return self._write(Verb.REVISION, database, script)

    def merge(
        self,
        database: str,
        message: str,
        revisions: Sequence[str] = ("heads",),
        *,
        branch_label: str | None = None,
        rev_id: str | None = None,
    ) -> NewRevision:
        """Write a revision that merges others, as ``alembic merge``.

        Raises ``TargetsFailed`` where there is nothing to merge.
        """
        script = NewScript(message, rev_id, branch_label, empty=True, revisions=tuple(revisions))
        return self._write(Verb.MERGE, database, script)

    def history(
        self, database: str, selection: Selection = ALL, rev_range: str | None = None
    ) -> History:
        """Return a database's revisions, and how many targets stand at each.

        ``rev_range`` is ``START:END``, as of ``alembic history``.
        """
        self._known(database)
        outcome = self._author(self._job(Verb.HISTORY, database, rev_range=rev_range))
        names = tuple(t for t in self.targets(selection) if t.database == database)
        standing = self._run(Verb.STATUS, names, "heads", staged=False)
        return history_of(database, outcome.data, standing)

    def protected(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """The protected environments among ``targets``: their owner wants to be asked first."""
        names = {target.environment for target in targets}
        environments = self.file.config.environments.items()
        return tuple(name for name, e in environments if e.protected and name in names)

    def _tenants_of(self, environment: str) -> tuple[TenantLabels, ...]:
        if environment not in self._tenants:
            config, folder = self.file.config, self.file.folder
            self._tenants[environment] = read_tenants(environment, config, folder, self._secrets)
        return self._tenants[environment]

    def _read(self, verb: Verb, selection: Selection, revision: str = "heads") -> Result:
        start_fork_server(PRELOAD)
        return self._run(verb, self.targets(selection), revision, staged=False)

    def _change(
        self,
        verb: Verb,
        selection: Selection,
        revision: str,
        *,
        dry_run: bool = False,
        purge: bool = False,
    ) -> Result:
        start_fork_server(PRELOAD)
        targets = self.targets(selection)
        needs = dependencies(targets, self.file.config)
        if verb is Verb.DOWNGRADE:
            targets, needs = reversed_(targets, needs)
        return self._run(
            verb, targets, revision, needs, staged=not dry_run, dry_run=dry_run, purge=purge
        )

    def _run(
        self,
        verb: Verb,
        targets: Sequence[Target],
        revision: str,
        needs: Mapping[str, Sequence[str]] | None = None,
        *,
        staged: bool,
        dry_run: bool = False,
        purge: bool = False,
    ) -> Result:
        began = time.monotonic()
        make_ready(self.file.config, targets, self._secrets)
        changes = needs is not None and not dry_run

        def job(target: Target) -> Job:
            return self._job(
                verb,
                target.database,
                environment=target.environment,
                labels=dict(target.labels),
                revision=revision,
                dry_run=dry_run,
                purge=purge,
            )

        plan = works(self.file.config, targets, (needs or {}) if changes else {}, staged=staged)
        outcomes, interrupted = self._drive(verb, targets, plan, job, changes=changes)
        return Result(
            verb.value,
            tuple(targets),
            tuple(outcomes[target.name] for target in targets),
            interrupted=interrupted,
            dry_run=dry_run,
            seconds=round(time.monotonic() - began, 3),
        )

    def _drive(
        self,
        verb: Verb,
        targets: Sequence[Target],
        plan: Sequence[Work],
        job: Callable[[Target], Job],
        *,
        changes: bool,
    ) -> tuple[dict[str, Outcome], bool]:
        config = self.file.config
        self.observer.begin(verb.value, targets)
        with Interrupts() as interrupts, self._pool(_places(plan)) as pool:
            drive = Drive(
                pool=pool,
                observer=self.observer,
                interrupts=interrupts,
                targets={target.name: target for target in targets},
                job=job,
                settings=lambda target: limits(config, target.environment, target.database),
                changes=changes,
            )
            return drive.run(plan), interrupts.presses > 0

    def _write(self, verb: Verb, database: str, script: NewScript) -> NewRevision:
        self._known(database)
        outcome = self._author(self._job(verb, database, script=script))
        revisions, warnings = outcome.data
        path = revisions[0].path if revisions else None
        id_ = revisions[0].id if revisions else ", ".join(outcome.heads)
        return NewRevision(database, path, id_, script.empty, revisions, warnings)

    def _author(self, job: Job) -> Outcome:
        with self._pool(1) as pool:
            pool.submit(job.database, job, _AUTHORING_TIMEOUT, kind=job.database)
            while True:
                for event in pool.wait(1.0):
                    if isinstance(event, Finished):
                        return _succeeded(event.content)
                    if isinstance(event, Lost):
                        raise TargetsFailed(f"{job.database}: {event.reason}")

    def _pool(self, size: int) -> Pool:
        arguments = (self._secrets.commands, dict(os.environ), _current_folder())
        return Pool(
            work,
            arguments,
            size=size,
            is_last=lambda content: isinstance(content, Outcome),
            preload=PRELOAD,
        )

    def _job(self, verb: Verb, database: str, **fields: Any) -> Job:
        return Job(verb, self.file.path, self.file.digest, database, x=self.x, **fields)

    def _known(self, database: str) -> None:
        known = self.file.config.databases
        if database not in known:
            hint = did_you_mean(database, known)
            raise UsageError(
                f"there is no database '{database}'; there are {', '.join(known)}"
                + (f"\n  {hint}" if hint else "")
            )
        check_scripts(self.file, [database])


def _places(plan: Sequence[Work]) -> int:
    """How many works can run at once, at most."""
    limits_ = {work.slots[0].key: work.slots[0].limit for work in plan}
    return max(1, min(len(plan), sum(limits_.values())))


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # multiprocessing can't start a process there either
        raise UsageError("the current folder was deleted; change to one that exists") from None


def _succeeded(outcome: Outcome) -> Outcome:
    failure = outcome.failure
    if failure is not None or outcome.state is State.FAILED:
        message = failure.message if failure is not None else "it failed"
        step = f"\n  {failure.next_step}" if failure is not None and failure.next_step else ""
        raise TargetsFailed(f"{outcome.target}: {message}{step}")
    return outcome
