"""A recorded run that is taken in hand, and driven until it ends or has to wait."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from orchestrator.config.models import Config, Rollout
from orchestrator.config.rollouts import Gate
from orchestrator.dispatch.results import RunEnd
from orchestrator.dispatch.slots import works
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import Refused
from orchestrator.fleet.target import Target
from orchestrator.ledger.hold import Hold
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.events import (
    Event,
    GateKind,
    RunFailed,
    RunPaused,
    RunState,
    RunWaiting,
)
from orchestrator.rollout.limits import limits
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.revisions import Revisions
from orchestrator.rollout.run import Past, Run, Stage
from orchestrator.runs.attempts import Trail
from orchestrator.runs.context import Conduct, Setting
from orchestrator.runs.controller import Rolling
from orchestrator.runs.event_log import EventLog
from orchestrator.runs.gates import trying as gates
from orchestrator.runs.gates.requirements import Required
from orchestrator.runs.gates.waiting import Missing, Verdict, Waits
from orchestrator.runs.planning.layout import gate_of
from orchestrator.runs.recording import Record, Sink
from orchestrator.runs.unchanged import Files
from orchestrator.worker.jobs import Job, Verb


@dataclass(frozen=True)
class Course:
    """A run as it is recorded, with the targets that it is about."""

    id: int
    plan: Plan
    targets: Mapping[str, Target]
    """The plan's that are there."""
    needs: Mapping[str, Sequence[str]]
    histories: Mapping[str, Revisions]
    """The revisions of each database that the plan has revisions of."""
    past: Past = field(default_factory=Past)
    trails: Mapping[str, Trail] = field(default_factory=dict)
    """Of targets that were worked on before."""
    settled: Callable[[Target], Outcome | None] = lambda _: None
    purge: bool = False
    back_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each target goes back to, in a rollback."""
    created: frozenset[str] = frozenset()
    """In a rollback: targets whose database or schema the run that is rolled back had made."""
    held_to: bool = False
    """Whether a target must stand where the plan saw it."""

    @cached_property
    def goals(self) -> Mapping[str, tuple[str, ...]]:
        """Where each target goes, as far as the plan knows."""
        return {t.name: t.goal for t in self.plan.targets if t.goal is not None}

    @property
    def verb(self) -> Verb:
        """What the run does."""
        return Verb(self.plan.verb)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run was left, and what became of targets meanwhile."""

    end: RunEnd
    outcomes: Mapping[str, Outcome]
    state: Run = field(repr=False)


def conduct(
    setting: Setting,
    workers: Workers,
    ledger: Ledger,
    hold: Hold,
    course: Course,
    how: Conduct,
    first: Callable[[int], Event],
) -> Ended:
    """Drive a run that we hold. ``first`` makes the event that says that we do.

    Raises ``Refused`` where the lease was lost meanwhile, and where nothing can be recorded.
    """
    run = Run(stages(setting, course), course.past)
    last = _Last()
    with ExitStack() as stack:
        sinks: list[Sink] = [last.take]
        log = None
        if how.events is not None:
            log = stack.enter_context(EventLog(how.events, course.id))
            sinks.append(log.write)
        record = stack.enter_context(Record(hold, sinks))
        event = first(record.now)
        if not record.write([event]):
            raise Refused(record.taken or record.lost or "the ledger can't be written")
        rolling = _rolling(setting, workers, ledger, course, how, run, record)
        rolling.observer.happened(event)
        rolling.drive()
        if record.taken is not None:
            raise Refused(record.taken)
        end = last.end(course.id, run, record)
        return Ended(replace(end, unwritten=log.lost if log else ""), rolling.outcomes, run)


def stages(setting: Setting, course: Course) -> list[Stage]:
    """Return the waves of a run as the state machine takes them."""
    members: dict[int, list[Target]] = {}
    for planned in course.plan.targets:
        if planned.name in course.targets:
            members.setdefault(planned.wave, []).append(course.targets[planned.name])
    return [
        Stage(
            wave.name,
            wave.environment,
            tuple(works(setting.file.config, members.get(at, ()), course.needs, wave)),
            wave.budget,
            tuple(map(GateKind, wave.entry)),
            tuple(map(GateKind, wave.gate)),
        )
        for at, wave in enumerate(course.plan.waves)
    ]


def _rolling(
    setting: Setting,
    workers: Workers,
    ledger: Ledger,
    course: Course,
    how: Conduct,
    run: Run,
    record: Record,
) -> Rolling:
    config = setting.file.config
    tries = _Tries(setting, course, run)
    waits = Waits(
        config=config,
        gates=tries.settings,
        attempts=tries.attempt,
        required=lambda wave: _required(setting, ledger, course, wave, record.now),
        ask=how.ask,
        by=how.by,
        stays=how.wait,
        override=how.override,
    )
    trails = {name: course.trails.get(name) or Trail() for name in course.targets}
    if course.held_to:
        for planned in course.plan.targets:
            if planned.name in trails:
                trails[planned.name].origin = planned.heads
    return Rolling(
        run=run,
        record=record,
        waits=waits,
        pool=workers.engine,
        observer=setting.observer,
        interrupts=workers.interrupts,
        targets=course.targets,
        trails=trails,
        job=lambda target, trail: _job(
            workers, course, target, trail, waited(config, how, target.environment, target.database)
        ),
        settings=lambda target: waited(config, how, target.environment, target.database),
        by=how.by,
        settled=course.settled,
        edited=Files(course.plan, course.histories).edited,
    )


def waited(config: Config, how: Conduct, environment: str, database: str) -> Rollout:
    """Return the limits of a database in an environment, with the wait for locks of ``how``."""
    settings = limits(config, environment, database)
    if how.wait_for_lock is None:
        return settings
    return settings.model_copy(update={"wait_for_lock": how.wait_for_lock})


def _job(workers: Workers, course: Course, target: Target, trail: Trail, settings: Rollout) -> Job:
    looks = trail.unseen
    # The scripts may have changed since the run began, and it may have waited for long.
    goal = None if course.back_to else course.goals.get(target.name)
    return workers.job_on(
        course.verb,
        target,
        revision=course.plan.revision,
        recorded=True,
        purge=course.purge,
        origin=trail.origin,
        back_to=course.back_to.get(target.name),
        drops=target.name in course.created,
        goal=goal,
        committing=trail.committing if looks else (),
        patience=settings.target_timeout if looks else settings.wait_for_lock,
        look_only=trail.look_only,
    )


def _required(
    setting: Setting, ledger: Ledger, course: Course, wave: int, now: int
) -> Missing | None:
    environment = course.plan.waves[wave].environment
    requires = setting.file.config.environments[environment].requires
    if requires is None:
        return None
    wanted: dict[str, dict[str, None]] = {}
    for target in course.plan.targets:
        if target.environment == environment:
            may = target.revisions if target.goal is not None else _all(course, target.database)
            wanted.setdefault(target.database, {}).update(dict.fromkeys(may))
    return Required(
        ledger,
        requires,
        lambda: setting.find([requires.environment]),
        {database: tuple(revisions) for database, revisions in wanted.items() if revisions},
        course.histories,
    ).missing(now)


def _all(course: Course, database: str) -> Sequence[str]:
    """What a target may be about to get of which nobody knows where it stands."""
    history = course.histories.get(database)
    if history is None:
        return ()
    upto = history.ancestors([course.plan.revision])
    return tuple(upto) or tuple(revision.id for revision in history.pending(()))


@dataclass(slots=True)
class _Tries:
    """Makes the tries of gates' queries and commands."""

    setting: Setting
    course: Course
    run: Run
    settings: Mapping[int, Gate] = field(init=False)

    def __post_init__(self) -> None:
        self.settings = {
            at: gate
            for at in range(len(self.course.plan.waves))
            if (gate := self._gate(at)) is not None
        }

    def attempt(self, wave: int, kind: GateKind) -> Callable[[], Verdict]:
        """Return the try of a query or command of the gate after a wave."""
        gate, secrets = self.settings[wave], self.setting.secrets
        folder = self.setting.file.folder
        if kind is GateKind.COMMAND and gate.command is not None:
            command, state = gate.command, self._state(wave)
            return lambda: gates.command(command, folder, lambda: state, secrets)
        assert gate.query is not None
        query, asked = gate.query, self._asked(wave, gate)
        return lambda: gates.query(query, asked(), secrets)

    def _gate(self, at: int) -> Gate | None:
        wave = self.course.plan.waves[at]
        rollout = self.setting.file.config.environments[wave.environment].rollout
        name = wave.name.partition("/")[2]
        return gate_of(rollout, next((own for own in rollout.waves if own.name == name), None))

    def _asked(self, wave: int, gate: Gate) -> Callable[[], Sequence[gates.Asked]]:
        secrets, config = self.setting.secrets, self.setting.file.config
        if gate.query is not None and gate.query.url is not None:
            query, environment = gate.query, self.course.plan.waves[wave].environment
            folder = self.setting.file.folder
            return lambda: [gates.elsewhere(query, environment, folder, secrets)]
        works = self.run.stages[wave].works
        states = {work.name: self.run.settled.get(work.name) for work in works}
        # A wave whose targets were through before it began is asked about those.
        wanted = State.DONE if State.DONE in states.values() else State.UNCHANGED
        done = [self.course.targets[name] for name, state in states.items() if state is wanted]
        return lambda: [
            gates.Asked(
                target.name,
                target.address.resolve(secrets.value),
                limits(config, target.environment, target.database).lock_timeout,
            )
            for target in done
        ]

    def _state(self, wave: int) -> Mapping[str, Any]:
        plan = self.course.plan
        return {
            "run": self.course.id,
            "project": plan.project,
            "verb": plan.verb,
            "revision": plan.revision,
            "environment": plan.waves[wave].environment,
            "wave": plan.waves[wave].name,
            "targets": [
                {"name": work.name, "state": self.run.settled.get(work.name)}
                for stage in self.run.stages[: wave + 1]
                for work in stage.works
            ],
        }


@dataclass(slots=True)
class _Last:
    """Remembers why a run stopped."""

    reason: str = ""
    until: int | None = None

    def take(self, event: Event) -> None:
        match event:
            case RunWaiting(reason=reason, until=until):
                self.reason, self.until = reason, until
            case RunPaused(reason=reason) | RunFailed(reason=reason):
                self.reason, self.until = reason, None

    def end(self, id_: int, run: Run, record: Record) -> RunEnd:
        if record.lost is not None:
            return RunEnd(id_, RunState.PAUSED, f"its ledger went away: {record.lost}")
        stopped = run.state in {RunState.WAITING, RunState.PAUSED, RunState.FAILED}
        return RunEnd(id_, run.state, self.reason if stopped else "", self.until)
