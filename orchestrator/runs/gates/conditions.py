"""Queries and commands of gates, ready to be tried: whom they ask, and what they are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestrator.config.rollouts import Gate, GateQuery
from orchestrator.rollout.events import GateKind
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.state_machine import StateMachine
from orchestrator.runs.context import RunContext
from orchestrator.runs.gates import checks
from orchestrator.runs.planning.layout import gate_after
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.snapshot.looks import looks


@dataclass(slots=True)
class Conditions:
    """The gates of a run's waves, as ``environments.toml`` has them now."""

    context: RunContext
    run: RecordedRun
    machine: StateMachine
    settings: Mapping[int, Gate] = field(init=False)
    """The settings of the gate after each wave that has one."""

    def __post_init__(self) -> None:
        waves = range(len(self.run.plan.waves))
        self.settings = {at: gate for at in waves if (gate := self._gate(at)) is not None}

    def check(self, wave: int, kind: GateKind) -> Callable[[], checks.Verdict]:
        """Return the try of a query or command of the gate after a wave, for a thread to call."""
        gate, project = self.settings[wave], self.context.project
        if kind is GateKind.COMMAND and gate.command is not None:
            state, folder = self._state(wave), project.file.folder
            return partial(checks.command, gate.command, folder, state, project.secrets)
        if kind is GateKind.QUERY and gate.query is not None:
            return partial(self._query, gate.query, wave, self._done(wave))
        raise ValueError(f"the gate after wave {wave} has no {kind}")

    def _gate(self, at: int) -> Gate | None:
        wave = self.run.plan.waves[at]
        rollout = self.context.config.environments[wave.environment].rollout
        return gate_after(rollout, wave.name)

    def _query(self, query: GateQuery, wave: int, done: Sequence[str]) -> checks.Verdict:
        project = self.context.project
        if query.url is not None:
            environment = self.run.plan.waves[wave].environment
            return checks.elsewhere(query, environment, project.file.folder, project.secrets)
        with self.context.workers.of_another_thread() as workers:
            at = looks(workers)

            def ask(names: Sequence[str]) -> Mapping[str, str]:
                return at.mismatches([self.run.targets[n] for n in names], checks.of_gate(query))

            return checks.query(query, done, ask)

    def _done(self, wave: int) -> list[str]:
        """Return the targets that a query is run on: those that the wave has changed.

        A wave whose targets were through before it began is asked about those.
        """
        works = self.machine.stages[wave].works
        states = {work.name: self.machine.settled.get(work.name) for work in works}
        wanted = State.DONE if State.DONE in states.values() else State.UNCHANGED
        return [name for name, state in states.items() if state is wanted]

    def _state(self, wave: int) -> Mapping[str, Any]:
        plan = self.run.plan
        return {
            "run": self.run.id,
            "project": plan.project,
            "verb": plan.verb,
            "revision": plan.revision,
            "environment": plan.waves[wave].environment,
            "wave": plan.waves[wave].name,
            "targets": [
                {"name": work.name, "state": self.machine.settled.get(work.name)}
                for stage in self.machine.stages[: wave + 1]
                for work in stage.works
            ],
        }
