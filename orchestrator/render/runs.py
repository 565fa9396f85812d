"""The text of ``runs``, and of what is said to a run."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.ledger.records import RunRecord
from orchestrator.render.run_end import coloured
from orchestrator.render.states import cell
from orchestrator.render.table import Columns
from orchestrator.render.text import safe
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.times import moment
from orchestrator.runs.requests import Done

_MINUTES = len("2026-11-23 14:05")


def table(found: Sequence[RunRecord]) -> Group:
    """Return a row for each run."""
    if not found:
        return Group(Text("No runs."))
    header = ["run", "state", "what", "when (UTC)", "by", "targets"]
    return Group(Columns(header, [_row(run) for run in found], dispensable=4))


def done(of: Done) -> Text:
    """Return what happens to a run now."""
    return Text(safe(of.text))


def counts(tally: Mapping[State | None, int]) -> Text:
    """Return how many targets of a run are in which state."""
    known: dict[State, int] = {state: n for state, n in tally.items() if state is not None and n}
    left = tally.get(None, 0)
    if not left:
        return cell(known)
    open_ = Text(f"{left:,} left", style="dim")
    return Text(" · ", style="dim").join([cell(known), open_]) if known else open_


def _row(run: RunRecord) -> list[Text]:
    what = f"{run.verb} to {run.revision}" if run.parent is None else f"rollback of {run.parent}"
    tally = Counter(run.tally)
    tally[State.DONE] += tally.pop(State.UNCHANGED, 0)
    return [
        Text(str(run.id)),
        coloured(run.state),
        Text(safe(what)),
        Text(moment(run.started_at or run.created_at)[:_MINUTES]),
        Text(safe(run.by)),
        counts(tally),
    ]
