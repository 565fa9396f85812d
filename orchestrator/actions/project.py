"""``Project``: the verbs of the command line for Python programs."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from orchestrator.actions.authoring import NewRevision, asked, assert_database, write_script
from orchestrator.actions.checking import check_by_class
from orchestrator.actions.cluster import ClusterView, workers
from orchestrator.actions.doctor.checks import Diagnosis
from orchestrator.actions.doctor.diagnose import diagnose
from orchestrator.actions.drifting import DriftResult, find_drift
from orchestrator.actions.histories import History, history_of
from orchestrator.actions.identifying import IdentifyResult, identify
from orchestrator.actions.places import Pair, Places, find_places
from orchestrator.actions.prepare import find_targets
from orchestrator.actions.runs import Runs
from orchestrator.actions.selection import ALL, Selection
from orchestrator.actions.sqlfiles import SqlFiles, write_sql_files
from orchestrator.actions.wait import wait_until_there
from orchestrator.config.load import ConfigFile, load
from orchestrator.config.secrets import Secrets
from orchestrator.dispatch.observer import NullObserver, Observer
from orchestrator.dispatch.results import Result
from orchestrator.dispatch.workers import Workers
from orchestrator.engines.local import start_fork_server
from orchestrator.errors import OrchestratorError, Refused, TargetsFailed, UsageError
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.ordering import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.inspection.tenants.read import read_tenants
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.outcomes import Outcome, Revision
from orchestrator.rollout.plan import Plan
from orchestrator.runs.context import ProjectContext, RunOptions
from orchestrator.runs.order import Order
from orchestrator.runs.planning.dry_run import dry_run as dry
from orchestrator.runs.planning.preview import Planned, preview
from orchestrator.runs.starting import start
from orchestrator.safety.ready import make_ready
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.snapshot.unversioned import told_apart
from orchestrator.worker.entry import PRELOAD
from orchestrator.worker.jobs import NewScript, Verb

OPTIONS = RunOptions()
_LOOKS_EVERY = 5.0
_SELECTION = ("selectors", "where", "exclude")


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
        self.observer = observer or NullObserver()
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

    def status(self, selection: Selection = ALL, *, schemas: bool = True) -> Result:
        """Read every target's heads, and tell which revisions are pending.

        ``schemas``: read the schemas, too, and tell them apart.
        """
        start_fork_server(PRELOAD)
        return self._status(self.targets(selection), schemas=schemas)

    def wait(self, selection: Selection = ALL, timeout: float = 600.0) -> Result:
        """Wait until every target is at its destination, at most ``timeout`` seconds.

        Changes nothing, and needs no ledger. A server that is not up yet is waited for.
        """
        start_fork_server(PRELOAD)
        until = time.monotonic() + timeout
        while True:
            try:
                targets = self.targets(selection)
                break
            except TargetsFailed as error:  # whoever knows the tenants is not up yet
                if time.monotonic() >= until:
                    raise
                self.observer.waiting("for the tenants", str(error))
                time.sleep(min(_LOOKS_EVERY, max(0.0, until - time.monotonic())))
        warnings: list[str] = []

        def run(workers: Workers) -> dict[str, Outcome]:
            self.observer.begin("wait", targets)
            snapshot = SnapshotReader(workers, warnings=warnings)
            return wait_until_there(snapshot, targets, self.observer, until - time.monotonic())

        return self._result("wait", targets, run, warnings=warnings)

    def doctor(self, environments: Sequence[str] = ()) -> Diagnosis:
        """Tell what is in the way of a first run: of the file, and of each environment.

        Changes nothing. Raises ``UsageError`` for an environment that there is not.
        """
        known = self.file.config.environments
        for name in environments:
            if name not in known:
                raise UsageError(f"there is no environment '{name}'; there are {', '.join(known)}")
        start_fork_server(PRELOAD)

        def find(name: str) -> tuple[Target, ...]:
            return self.targets(Selection((name,)))

        return diagnose(self._context, tuple(environments or known), find, self.observer)

    def check(self, selection: Selection = ALL, *, every_target: bool = False) -> Result:
        """Compare the models with every target, as ``alembic check`` does. Changes nothing.

        Of targets with equal schemas one is compared, and its result is that of all;
        ``every_target`` compares each of them.
        """
        start_fork_server(PRELOAD)
        targets, warnings = self.targets(selection), list[str]()

        def run(workers: Workers) -> dict[str, Outcome]:
            if every_target:
                self.observer.begin(Verb.CHECK.value, targets)
                return workers.run(Verb.CHECK, targets, self.observer)
            snapshot = SnapshotReader(workers, schemas=True, warnings=warnings)
            return check_by_class(workers, snapshot, targets, self.observer)

        return self._result(Verb.CHECK, targets, run, warnings=warnings)

    def drift(self, selection: Selection = ALL, baseline: str | None = None) -> DriftResult:
        """Tell which targets differ from their siblings, and how. Needs no models.

        The baseline is the largest class of a database at its revision, or that of the target
        which ``baseline`` names. Raises ``UsageError`` for a baseline that is no target.
        """
        start_fork_server(PRELOAD)
        targets = self.targets(selection)
        if baseline is not None:
            one = self._one(baseline)
            if all(target.database != one.database for target in targets):
                raise UsageError(
                    f"{baseline} is of another database than what is selected\n"
                    f"  select targets of {one.database} to compare with it"
                )
            baseline, targets = one.name, _with(targets, one)
        with self._workers(targets) as workers:
            return find_drift(workers, targets, self.observer, baseline)

    def identify(self, selection: Selection = ALL) -> IdentifyResult:
        """Tell which revisions each target's schema fits, whatever its version table says.

        By its siblings, the targets of its database in its environment; else by its history, walked
        on a scratch database that is made for it and taken away.
        """
        start_fork_server(PRELOAD)
        targets = self.targets(selection)
        groups = dict.fromkeys(f"{target.environment}/{target.database}" for target in targets)
        siblings = self.targets(Selection(tuple(groups)))
        with self._workers(siblings) as workers:
            return identify(workers, targets, siblings, self.observer)

    def plan(self, selection: Selection = ALL, revision: str = "heads") -> Planned:
        """Tell what an upgrade would do, wave by wave. Changes nothing."""
        return preview(self._context, self._order(Verb.UPGRADE, selection, revision))

    def upgrade(
        self,
        selection: Selection = ALL,
        revision: str = "heads",
        *,
        dry_run: bool = False,
        options: RunOptions = OPTIONS,
    ) -> Result:
        """Upgrade in configured order, as a run that the ledger records.

        ``dry_run`` only tells what would run, target by target.
        """
        return self._change(Verb.UPGRADE, selection, revision, dry_run=dry_run, options=options)

    def upgrade_as_planned(self, plan: Plan, options: RunOptions = OPTIONS) -> Result:
        """Do exactly what a sealed plan says. Raises ``Refused`` where that is not what would be
        done now."""
        if plan.verb != Verb.UPGRADE or not plan.selection.keys() >= {*_SELECTION}:
            raise Refused("it is no plan of an upgrade, as `orchestrator plan --out` writes it")
        selected = Selection(**{key: plan.selection[key] for key in _SELECTION})
        order = self._order(Verb(plan.verb), selected, plan.revision)
        return start(self._context, order, options, plan)

    @property
    def runs(self) -> Runs:
        """What was run, and what can be done about it."""
        return Runs(self._context)

    def ledger(self) -> Ledger:
        """Open the ledger, making it where there is none. Whoever opens it closes it."""
        return self._context.ledger()

    def downgrade(
        self,
        selection: Selection,
        revision: str,
        *,
        dry_run: bool = False,
        options: RunOptions = OPTIONS,
    ) -> Result:
        """Downgrade, in the reverse of the configured order."""
        return self._change(Verb.DOWNGRADE, selection, revision, dry_run=dry_run, options=options)

    def stamp(
        self,
        selection: Selection,
        revision: str,
        *,
        purge: bool = False,
        dry_run: bool = False,
        options: RunOptions = OPTIONS,
    ) -> Result:
        """Write ``revision`` into the version tables without running anything.

        ``purge`` forgets what they say first, for targets at a revision that nobody knows.
        """
        return self._change(
            Verb.STAMP, selection, revision, purge=purge, dry_run=dry_run, options=options
        )

    def sql(self, folder: Path, selection: Selection = ALL, revision: str = "heads") -> SqlFiles:
        """Write the SQL that an upgrade would run, a file for each target that needs one."""
        start_fork_server(PRELOAD)
        targets = self.targets(selection)

        def run(workers: Workers) -> dict[str, Outcome]:
            self.observer.begin(Verb.SQL.value, targets)
            return workers.run(Verb.SQL, targets, self.observer, revision=revision)

        return write_sql_files(folder, self._result(Verb.SQL, targets, run))

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
        splice: bool = False,
    ) -> NewRevision:
        """Write a revision that merges others, as ``alembic merge``.

        ``splice``: also those that are no heads, which makes a branch of what comes after them.
        Raises ``TargetsFailed`` where there is nothing to merge.
        """
        script = NewScript(
            message,
            rev_id,
            branch_label,
            splice=splice,
            empty=True,
            revisions=tuple(revisions),
        )
        return self._write(Verb.MERGE, database, script)

    def history(
        self, database: str, selection: Selection = ALL, rev_range: str | None = None
    ) -> History:
        """Return a database's revisions, and how many targets stand at each.

        ``rev_range`` is ``START:END``, as of ``alembic history``.
        """
        assert_database(self.file, database)
        outcome = asked(self._alone, Verb.HISTORY, database, rev_range=rev_range)
        names = tuple(t for t in self.targets(selection) if t.database == database)
        return history_of(database, outcome.data, self._status(names, schemas=False))

    def places(self, pairs: Iterable[Pair]) -> Places:
        """Return where what became of targets is written down, in files and lines."""
        return find_places(self.file, pairs, self._revisions)

    def cluster(self) -> ClusterView:
        """Tell which workers the project's cluster has."""
        return workers(self.file, self._secrets)

    def protected(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """The protected environments among ``targets``: their owner wants to be asked first."""
        names = {target.environment for target in targets}
        environments = self.file.config.environments.items()
        return tuple(name for name, e in environments if e.protected and name in names)

    def _status(self, targets: Sequence[Target], *, schemas: bool) -> Result:
        warnings: list[str] = []

        def run(workers: Workers) -> dict[str, Outcome]:
            self.observer.begin(Verb.STATUS.value, targets)
            snapshot = SnapshotReader(workers, schemas=schemas, warnings=warnings)
            found = snapshot.outcomes(targets, self.observer)
            return found if workers.interrupted else told_apart(snapshot, targets, found)

        return self._result(Verb.STATUS, targets, run, warnings=warnings)

    def _tenants_of(self, environment: str) -> tuple[TenantLabels, ...]:
        if environment not in self._tenants:
            config, folder = self.file.config, self.file.folder
            self._tenants[environment] = read_tenants(environment, config, folder, self._secrets)
        return self._tenants[environment]

    def _change(
        self,
        verb: Verb,
        selection: Selection,
        revision: str,
        *,
        dry_run: bool,
        options: RunOptions,
        purge: bool = False,
    ) -> Result:
        order = self._order(verb, selection, revision, purge=purge)
        return dry(self._context, order) if dry_run else start(self._context, order, options)

    def _order(
        self, verb: Verb, selection: Selection, revision: str, *, purge: bool = False
    ) -> Order:
        start_fork_server(PRELOAD)
        targets = self.targets(selection)
        needs = dependencies(targets, self.file.config)
        if verb is Verb.DOWNGRADE:
            targets, needs = reversed_(targets, needs)
        selected = {key: getattr(selection, key) for key in _SELECTION}
        return Order(verb, targets, needs, revision, {**selected, "purge": purge}, purge)

    @property
    def _context(self) -> ProjectContext:
        def find(selectors: Sequence[str]) -> tuple[Target, ...]:
            return self.targets(Selection(tuple(selectors)))

        return ProjectContext(self.file, self._secrets, self.x, self.observer, find)

    def _workers(self, targets: Sequence[Target]) -> Workers:
        """Check what can be checked before anything is touched."""
        make_ready(self.file.config, targets, self._secrets)
        return Workers.of(self.file, self._secrets, self.x, targets, self.observer)

    def _result(
        self,
        verb: str,
        targets: Sequence[Target],
        run: Callable[[Workers], dict[str, Outcome]],
        *,
        warnings: Sequence[str] = (),
    ) -> Result:
        """Run, and put the outcomes in order. ``warnings`` may still grow meanwhile."""
        began = time.monotonic()
        with self._workers(targets) as workers:
            outcomes = run(workers)
            interrupted = workers.interrupted
        return Result.of(
            verb, targets, outcomes, interrupted=interrupted, began=began, warnings=tuple(warnings)
        )

    def _revisions(self, database: str) -> Sequence[Revision]:
        try:
            return asked(self._alone, Verb.HISTORY, database).data or ()
        except OrchestratorError:  # a place less, and what is to be told is told all the same
            return ()

    def _write(self, verb: Verb, database: str, script: NewScript) -> NewRevision:
        assert_database(self.file, database)
        return write_script(self._alone, verb, database, script)

    @property
    def _alone(self) -> Workers:
        """One worker, for what is about no target."""
        return Workers(self.file, self._secrets, self.x, 1)

    def _one(self, name: str) -> Target:
        found = self.targets(Selection((name,)))
        if len(found) != 1:
            raise UsageError(f"a baseline is one target, and '{name}' selects {len(found)}")
        return found[0]


def _with(targets: tuple[Target, ...], one: Target) -> tuple[Target, ...]:
    return targets if any(target.name == one.name for target in targets) else (*targets, one)
