"""A run as its page and its report show it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.ledger.records import AttemptRecord, Cell, GateRecord, Pace, RunRecord, WaveRecord
from orchestrator.render.html.looks import OPEN, RUNNING, WORDS, Look, code_of, look
from orchestrator.render.text import safe
from orchestrator.rollout.events import RunState, WaveState
from orchestrator.rollout.outcomes import Failure, State
from orchestrator.runs.report import RunReport, Trouble

_RUNNING = 60
_BUCKETS = 120
_SLOW = 4.0
"""How often the mean a target may take before it stands still longer than usual."""
_SHORT = 10_000
"""Milliseconds that are never called long."""
_ORDER = "dusfqlbrno"


@dataclass(frozen=True, slots=True)
class Medium:
    """What a run is shown on: a page that goes on, or a file that is kept."""

    target: str
    """How a link to a target begins; its position follows."""
    plan: str
    """Where a link to the plan leads."""
    clocks: bool
    """Whether a script lets its clocks go on; else they stand where the run was read."""
    groups: int
    """How many causes are told."""
    names: int
    """How many targets are named with each."""


def page_of(run: int) -> Medium:
    """Return the dashboard's page of a run."""
    return Medium(f"/runs/{run}/targets/", f"/runs/{run}/plan", True, groups=50, names=20)


FILE = Medium("#t", "#plan", False, groups=100, names=200)
"""A file that has every target of a run in it."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many targets are in a state, and where its part of a bar begins."""

    look: Look
    count: int
    begins: float
    """In percent of the bar."""
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """A wave."""

    wave: WaveRecord
    shares: Sequence[Share]
    gates: Sequence[str]
    """What became of the conditions after it, a line each."""
    soaks_until: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that failed alike."""

    look: Look
    names: Sequence[tuple[int, str]]
    """Positions and names of the first."""
    count: int
    failure: Failure | None
    committing: str
    attempt: AttemptRecord | None


@dataclass(frozen=True, slots=True)
class Working:
    """A target that is worked on."""

    attempt: AttemptRecord
    slow: bool
    """Whether it takes longer than usual."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was decided in a run: by somebody, or by a gate."""

    at: int
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as its page shows it."""

    run: RunRecord
    medium: Medium
    title: str
    live: bool
    """Whether somebody drives it."""
    holder: str | None
    shares: Sequence[Share]
    settled: int
    left_ms: int | None
    """For how long it goes on, as far as its pace tells."""
    lanes: Sequence[Lane]
    groups: Sequence[Group]
    hidden_groups: int
    working: Sequence[Working]
    hidden_working: int
    slowest: Sequence[AttemptRecord]
    decisions: Sequence[Decision]
    replayed: int
    now: int


def run_view(
    of: RunReport, cells: Sequence[Cell], mean: float | None, medium: Medium | None = None
) -> RunView:
    """Return a run as it is shown, on its page unless told otherwise.

    ``mean``: milliseconds that an attempt took so far.
    """
    run = of.run
    medium = medium or page_of(run.id)
    holder = of.driver
    open_ = {attempt.position for attempt in of.open} if holder else set()
    codes = letters(cells, open_)
    groups = _groups(of.troubles, medium.names)
    settled = sum(1 for code in codes if code not in {OPEN, RUNNING, "n"})
    return RunView(
        run=run,
        medium=medium,
        title=_title(run),
        live=holder is not None,
        holder=holder,
        shares=shares(codes),
        settled=settled,
        left_ms=_left(run, settled, of.now) if holder else None,
        lanes=_lanes(of, cells, codes),
        groups=groups[: medium.groups],
        hidden_groups=max(0, len(groups) - medium.groups),
        working=[
            Working(attempt, _is_slow(of.now - attempt.started_at, mean))
            for attempt in sorted(of.open, key=lambda one: one.started_at)[:_RUNNING]
        ],
        hidden_working=max(0, len(of.open) - _RUNNING),
        slowest=of.slowest,
        decisions=_decisions(of),
        replayed=of.replayed,
        now=of.now,
    )


def letters(cells: Iterable[Cell], open_: set[int]) -> str:
    """Return the letter of each cell, those at work told from those that wait."""
    return "".join(RUNNING if cell.position in open_ else code_of(cell.state) for cell in cells)


def shares(codes: str) -> list[Share]:
    """Return how much of a bar each state has, the settled first."""
    counts, found, begins = Counter(codes), [], 0.0
    for code in _ORDER:
        if number := counts.get(code, 0):
            width = 100 * number / len(codes)
            found.append(Share(WORDS[code], number, round(begins, 3), round(width, 3)))
            begins += width
    return found


def _title(run: RunRecord) -> str:
    if run.parent is not None:
        return f"rollback of run {run.parent}"
    return safe(f"{run.verb} to {run.revision}")


def _left(run: RunRecord, settled: int, now: int) -> int | None:
    """Return how long what is left takes at the pace so far; gates and windows come on top."""
    began = run.started_at or run.created_at
    if run.state is not RunState.RUNNING or settled == 0 or settled >= run.total:
        return None
    return round((now - began) * (run.total - settled) / settled)


def _is_slow(took: int, mean: float | None) -> bool:
    return mean is not None and took > max(_SHORT, mean * _SLOW)


def _lanes(of: RunReport, cells: Sequence[Cell], codes: str) -> list[Lane]:
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        places[cell.wave].append(place)
    lanes = []
    for wave in of.waves:
        own = places[wave.position]
        gates = [_gate(gate) for gate in of.gates if gate.wave == wave.position]
        at_gate = wave.state is WaveState.GATE
        until = of.run.waits_until if at_gate and of.run.state is RunState.WAITING else None
        lanes.append(Lane(wave, shares("".join(codes[at] for at in own)), gates, until))
    return lanes


def _gate(gate: GateRecord) -> str:
    again = f", tried {gate.tries} times" if gate.tries > 1 else ""
    detail = f": {gate.detail}" if gate.detail else ""
    return safe(f"{gate.kind} {gate.state}{again}{detail}")


def _groups(troubles: Sequence[Trouble], names: int) -> list[Group]:
    groups: dict[object, list[Trouble]] = {}
    for one in troubles:
        groups.setdefault(_sameness(one), []).append(one)
    return [_group(group, names) for group in groups.values()]


def _sameness(one: Trouble) -> object:
    failure = one.attempt.failure if one.attempt else None
    if failure is None:
        return one.target.state, None
    own = {part for part in re.split(r"[/@:]", one.target.name) if len(part) > 1}
    said = failure.message.partition("\n")[0]
    for word in sorted(own, key=len, reverse=True):
        said = said.replace(word, "…")
    return one.target.state, failure.revision, said, failure.half_applied


def _group(group: Sequence[Trouble], names: int) -> Group:
    first = group[0]
    attempt = first.attempt
    committing = ""
    if attempt is not None and attempt.committing and first.target.state is State.IN_DOUBT:
        committing = attempt.committing[-1].revision
    return Group(
        look=look(first.target.state),
        names=[(one.target.position, safe(one.target.name)) for one in group[:names]],
        count=len(group),
        failure=attempt.failure if attempt else None,
        committing=committing,
        attempt=attempt,
    )


def _decisions(of: RunReport) -> list[Decision]:
    waves = {wave.position: wave.name for wave in of.waves}
    found = [
        Decision(gate.at, "gate", f"{waves.get(gate.wave, '')}: {_gate(gate)}")
        for gate in of.gates
        if gate.state != "overridden"
    ]
    for one in of.approvals:
        note = f": {one.note}" if one.note else ""
        found.append(Decision(one.at, "approved", f"{waves.get(one.wave, '')}, by {one.by}{note}"))
    for over in of.overrides:
        text = f"{waves.get(over.wave, '')}: {over.kind}, by {over.by}: {over.reason}"
        found.append(Decision(over.at, "overridden", text))
    for remark in of.remarks:
        if remark.what in {"skipped", "retried"}:
            reason = f": {remark.reason}" if remark.reason else ""
            text = f"{remark.target}, by {remark.by}{reason}"
            found.append(Decision(remark.at, remark.what, text))
    return sorted(found, key=lambda one: (one.at, one.what))


@dataclass(frozen=True, slots=True)
class Series:
    """How fast a run went: of each stretch of time how many targets ended and how long they took.

    Times are seconds since 1970-01-01 UTC, durations seconds.
    """

    at: Sequence[float]
    done: Sequence[int]
    failed: Sequence[int]
    middle: Sequence[float | None]
    """The median of what the attempts took that ended then."""
    longest: Sequence[float | None]

    def as_json(self) -> Mapping[str, object]:
        """Return it as the charts read it."""
        return {
            "at": self.at,
            "done": self.done,
            "failed": self.failed,
            "middle": self.middle,
            "longest": self.longest,
        }


def series(run: RunRecord, paces: Sequence[Pace], now: int) -> Series:
    """Return the pace of a run, in at most 120 stretches of whole seconds."""
    begin = run.started_at or run.created_at
    end = max([run.ended_at or now, begin + 1000, *(pace.ended_at for pace in paces[-1:])])
    step = max(1000, -(-(end - begin) // _BUCKETS // 1000) * 1000)
    stretches: defaultdict[int, list[Pace]] = defaultdict(list)
    for pace in paces:
        stretches[max(0, pace.ended_at - begin) // step].append(pace)
    places = range((end - begin) // step + 1)
    good = {State.DONE, State.UNCHANGED}
    took = [sorted(pace.milliseconds / 1000 for pace in stretches[at]) for at in places]
    return Series(
        at=[(begin + at * step) / 1000 for at in places],
        done=[sum(pace.state in good for pace in stretches[at]) for at in places],
        failed=[sum(pace.state not in good for pace in stretches[at]) for at in places],
        middle=[of[len(of) // 2] if of else None for of in took],
        longest=[of[-1] if of else None for of in took],
    )
