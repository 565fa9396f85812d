"""What is asked of a run from outside: to pause, to stop for good, to go on after a gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.config.rollouts import Approval
from orchestrator.errors import Refused, UsageError
from orchestrator.ledger.errors import Held
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import Request, RunRecord, WaveRecord
from orchestrator.rollout.events import (
    Event,
    RunAborted,
    RunPaused,
    RunState,
    TargetSkipped,
    WaveState,
)
from orchestrator.rollout.outcomes import State
from orchestrator.runs.context import ProjectContext, RunOptions, is_same_person
from orchestrator.runs.planning.layout import gate_after

_ENDED = frozenset({RunState.DONE, RunState.ABORTED})
_SKIPPED = frozenset({None, State.FAILED, State.LOCKED, State.IN_DOUBT, State.BLOCKED})


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about a run."""

    run: int
    text: str
    """For people: what happens now, and what to do next."""


def pause(project: ProjectContext, id_: int, options: RunOptions) -> Done:
    """Let a run start nothing more; what runs is finished. Raises ``UsageError`` if it is over."""
    with project.existing_ledger() as ledger:
        run = _unfinished(ledger, id_, "pause")
        # One that somebody holds is about to go on.
        if run.state in {RunState.PAUSED, RunState.FAILED} and run.holder is None:
            return Done(id_, f"run {id_} is {run.state} already")
        asked = _ask(ledger, run, "pause", options)
        now = "starts nothing more, and ends when what runs is done" if asked else "is paused"
        return Done(id_, f"run {id_} {now}; go on with: orchestrator resume {id_}")


def abort(project: ProjectContext, id_: int, options: RunOptions) -> Done:
    """Let a run start nothing more, ever; what runs is finished."""
    with project.existing_ledger() as ledger:
        run = _unfinished(ledger, id_, "abort")
        asked = _ask(ledger, run, "abort", options)
        now = "starts nothing more, and ends when what runs is done" if asked else "is aborted"
        return Done(id_, f"run {id_} {now}; what it did: orchestrator show {id_}")


def approve(
    project: ProjectContext, id_: int, wave: str | None, note: str, options: RunOptions
) -> Done:
    """Approve that a run goes on after a wave: the one it waits at, unless one is named."""
    with project.existing_ledger() as ledger:
        run = _unfinished(ledger, id_, "approve")
        chosen = _wave(id_, ledger.waves(id_), wave)
        if _wants_another(project, chosen) and is_same_person(options.by, run.by):
            raise Refused(
                f"run {id_} was begun by {run.by}: who began it may not approve it after "
                f"{chosen.name}\n  ask somebody else, or see who may: {project.file.path}"
            )
        ledger.approve(id_, chosen.position, options.by, note)
        then = "it goes on" if ledger.holder(id_) else f"go on with: orchestrator resume {id_}"
        return Done(id_, f"run {id_} is approved after {chosen.name}, by {options.by}; {then}")


def ask(
    project: ProjectContext,
    id_: int,
    what: Literal["resume", "retry"],
    reason: str,
    targets: Sequence[str],
    options: RunOptions,
) -> Done:
    """Ask whoever drives runs to go on with one, or to try its failed targets again.

    Raises ``UsageError`` for a run that is over, or for a target that it does not have.
    """
    with project.existing_ledger() as ledger:
        run = ledger.run(id_)
        over = {RunState.ABORTED} if what == "retry" else _ENDED
        if run.state in over:
            raise UsageError(f"run {id_} is {run.state}: there is nothing to {what}")
        if run.state is RunState.RUNNING and ledger.holder(id_):
            raise UsageError(f"run {id_} goes on already")
        known = {row.name for row in ledger.targets(id_)} if targets else set()
        for name in targets:
            if name not in known:
                raise UsageError(f"run {id_} has no target {name}; see orchestrator show {id_}")
        ledger.ask(id_, what, options.by, reason, targets)
        named = " ".join(["orchestrator", what, str(id_), *targets])
        return Done(
            id_,
            f"it is asked that run {id_} goes on; `orchestrator resume --requested` takes it up, "
            f"wherever runs are driven; or: {named}",
        )


def skip(project: ProjectContext, id_: int, target: str, reason: str, options: RunOptions) -> Done:
    """Let a run go on without a target; one that was in doubt counts as looked after.

    Raises ``UsageError`` for a target that succeeded or that the run does not have, ``Refused``
    while somebody holds the run.
    """
    with project.existing_ledger() as ledger, ledger.hold(id_, Holder.here()) as hold:
        row = next((row for row in ledger.targets(id_) if row.name == target), None)
        if row is None:
            raise UsageError(f"run {id_} has no target {target}; see orchestrator show {id_}")
        if row.state not in _SKIPPED:
            raise UsageError(f"{target} is {row.state} in run {id_}: there is nothing to skip")
        hold.write([TargetSkipped(ledger.now(), target, options.by, reason)])
        over = ledger.run(id_).state in _ENDED
        then = "" if over else f"; go on with: orchestrator resume {id_}"
        return Done(id_, f"run {id_} goes without {target}{then}")


def _unfinished(ledger: Ledger, id_: int, verb: str) -> RunRecord:
    run = ledger.run(id_)
    if run.state in _ENDED:
        raise UsageError(f"run {id_} is {run.state}: there is nothing to {verb}")
    return run


def _ask(ledger: Ledger, run: RunRecord, what: Request, options: RunOptions) -> bool:
    """Ask whoever holds the run; where nobody does, say it ourselves. Whether it was asked."""
    try:
        with ledger.hold(run.id, Holder.here()) as hold:
            now = ledger.now()
            event: Event = (
                RunAborted(now, options.by)
                if what == "abort"
                else RunPaused(now, "somebody asked for it", options.by)
            )
            hold.write([event])
            return False
    except Held:
        ledger.request(run.id, what, options.by)
        return True


def _wants_another(project: ProjectContext, wave: WaveRecord) -> bool:
    """Whether who began the run may not approve it after a wave."""
    environment = project.config.environments.get(wave.environment)
    if environment is None:
        return False
    gate = gate_after(environment.rollout, wave.name)
    return gate is not None and isinstance(gate.approval, Approval)


def _wave(id_: int, waves: list[WaveRecord], name: str | None) -> WaveRecord:
    if name is None:
        at_gate = [wave for wave in waves if wave.state is WaveState.GATE]
        if not at_gate:
            raise Refused(
                f"run {id_} is at no gate; to approve beforehand, name the wave: "
                f"--wave {waves[0].name if waves else 'NAME'}"
            )
        return at_gate[0]
    found = [wave for wave in waves if name in {wave.name, wave.name.partition("/")[2]}]
    if len(found) != 1:
        known = ", ".join(wave.name for wave in waves)
        raise UsageError(f"run {id_} has no wave '{name}'; there are: {known}")
    return found[0]
