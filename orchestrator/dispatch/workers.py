"""The workers of one command: made when it begins, gone when it ends."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator.config.load import ConfigFile
from orchestrator.config.secrets import Secrets
from orchestrator.dispatch.batch import Batch
from orchestrator.dispatch.cluster import assert_same, cluster
from orchestrator.dispatch.dispatcher import Dispatcher, Queue
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import NullObserver, Observer
from orchestrator.dispatch.slots import works
from orchestrator.engines.base import Engine, EngineEvent, Finished, Lost
from orchestrator.engines.fd_limits import workers_allowed
from orchestrator.engines.local import LocalEngine
from orchestrator.errors import UsageError
from orchestrator.fleet.arguments import place
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.rollout.schedule import Schedule
from orchestrator.worker.entry import PRELOAD, work
from orchestrator.worker.jobs import Job, Verb

_SCRIPTS_TIMEOUT = 3600.0
_POLL_INTERVAL = 0.2


@dataclass(slots=True)
class Workers:
    """Runs jobs on targets and on databases' scripts, within the limits of the file.

    Entered, it counts Ctrl-C instead of dying of it.
    """

    file: ConfigFile
    secrets: Secrets
    x: tuple[str, ...]
    size: int
    """How many workers may be busy at once."""
    warning: str | None = None
    """Why they are fewer than the file asks for."""
    replays: bool = True
    """Whether revisions may be replayed."""
    observer: Observer = field(default_factory=NullObserver)
    """Who is told what is waited for, whatever runs."""
    interrupts: Interrupts = field(default_factory=Interrupts)
    _engine: Engine | None = None
    _elsewhere: Engine | None = None
    """Where jobs on targets run, if not on this machine."""
    _empty: dict[str, float] = field(default_factory=dict)
    """Since when there is nobody in a place of a cluster."""
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def of(
        cls,
        file: ConfigFile,
        secrets: Secrets,
        x: tuple[str, ...],
        targets: Sequence[Target],
        observer: Observer,
    ) -> "Workers":
        """Return enough of them for ``targets``."""
        environments = {target.environment for target in targets}
        most = sum(file.config.environments[name].rollout.max_parallel for name in environments)
        scripts = len({target.database for target in targets})
        wanted = min(len(targets), most)
        return cls(
            file,
            secrets,
            x,
            max(1, scripts, min(wanted, workers_allowed())),
            _concurrency_warning(wanted) if file.config.engine.kind == "local" else None,
            observer=observer,
        )

    def __enter__(self) -> "Workers":
        self._stack.enter_context(self.interrupts)
        arguments = (self.secrets.commands, dict(os.environ), _current_folder())
        engine = LocalEngine(
            work,
            arguments,
            size=self.size,
            is_final=lambda content: isinstance(content, Outcome),
            preload=PRELOAD,
        )
        self._engine = self._stack.enter_context(engine)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @contextmanager
    def of_another_thread(self) -> Iterator["Workers"]:
        """Give another thread workers: an engine has one caller. Those of a cluster alone."""
        with ExitStack() as stack:
            yield replace(self, _engine=None, _elsewhere=None, _empty={}, _stack=stack)

    @property
    def are_elsewhere(self) -> bool:
        """Whether jobs on targets run on other machines, which have a copy of the project."""
        return self.file.config.engine.kind == "dask"

    def connect(self) -> None:
        """Connect to where jobs on targets run, if that is elsewhere. Raises ``Refused``."""
        if self.are_elsewhere:
            self._cluster()

    def _cluster(self) -> Engine:
        if self._elsewhere is None:
            engine = self._stack.enter_context(cluster(self.file, self.secrets))
            assert_same(engine)
            self._elsewhere = engine
        return self._elsewhere

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.interrupts.presses > 0

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until Ctrl-C is pressed."""
        until = time.monotonic() + seconds
        while not self.interrupted and (left := until - time.monotonic()) > 0:
            time.sleep(min(_POLL_INTERVAL, left))

    def job(self, verb: Verb, database: str, **fields: Any) -> Job:
        """Return a job, with what all jobs of the command have in common."""
        file = self.file
        return Job(verb, file.path, file.digest, database, x=self.x, replay=self.replays, **fields)

    def run(
        self,
        verb: Verb,
        targets: Sequence[Target],
        observer: Observer,
        *,
        each: Callable[[Target], Mapping[str, Any]] = lambda _: {},
        here: bool = False,
        **fields: Any,
    ) -> dict[str, Outcome]:
        """Run a verb that only reads on each target, and return their outcomes.

        ``each`` returns what a target's job has besides what all have. ``here``: it takes the
        scripts alone, and runs on this machine wherever its target is.
        """
        config = self.file.config
        schedule = Schedule(works(config, targets, {}))
        patience = config.engine.patience
        batch = Batch(
            self.dispatcher(targets, schedule, observer, patience=patience, here=here),
            schedule,
            config,
            lambda target: self.job_on(verb, target, **fields, **each(target)),
        )
        return batch.run()

    def dispatcher(
        self,
        targets: Sequence[Target],
        queue: Queue,
        observer: Observer,
        *,
        patience: float | None = None,
        here: bool = False,
    ) -> Dispatcher:
        """Return what submits jobs on targets, which wait for their turn in ``queue``.

        ``patience``: seconds after which what has no worker in its place fails, instead of waiting.
        ``here``: on this machine, whatever the file says.
        """
        of = {target.name: target for target in targets}
        if here or not self.are_elsewhere:
            return Dispatcher(self.engine, observer, self.interrupts, of, queue)
        asked = ((target.name, place(self.file.config, target)) for target in targets)
        places = {name: at for name, at in asked if at is not None}
        return Dispatcher(
            self._cluster(),
            observer,
            self.interrupts,
            of,
            queue,
            places,
            patience,
            empty=self._empty,
        )

    def job_on(self, verb: Verb, target: Target, **fields: Any) -> Job:
        """Return a job on one target."""
        labels = dict(target.labels)
        return self.job(
            verb, target.database, environment=target.environment, labels=labels, **fields
        )

    def begin(self, verb: Verb, databases: Iterable[str], **fields: Any) -> None:
        """Start a job on the scripts of each database, to be ``collected``."""
        for database in databases:
            job = self.job(verb, database, **fields)
            self.engine.submit(database, job, _SCRIPTS_TIMEOUT, kind=database)

    def collected(self, *, wait: bool) -> dict[str, Outcome]:
        """Return what became of what was begun, all of it if we are to wait.

        On a second Ctrl-C nothing is waited for.
        """
        found: dict[str, Outcome] = {}
        first = True
        while self.engine.busy and (wait or first):
            first = False
            events: Sequence[EngineEvent] = self.engine.wait(_POLL_INTERVAL if wait else 0)
            if self.interrupts.presses > 1:
                events = self.engine.kill()
            for event in events:
                if isinstance(event, Finished):
                    found[event.key] = event.content
                elif isinstance(event, Lost):
                    found[event.key] = Outcome(
                        event.key, State.FAILED, failure=Failure(event.reason)
                    )
        return found

    @property
    def engine(self) -> Engine:
        """Where they work on scripts, and on targets unless there is a cluster."""
        assert self._engine is not None, "workers are there only while they are entered"
        return self._engine


def _concurrency_warning(wanted: int) -> str | None:
    if wanted <= (allowed := workers_allowed()):
        return None
    return (
        f"at most {allowed} at once instead of {wanted}: this process may not have more files open "
        "(ulimit -n); raise that limit, or lower max_parallel"
    )


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # multiprocessing can't start a process there either
        raise UsageError("the current folder was deleted; change to one that exists") from None
