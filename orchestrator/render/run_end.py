"""How a run stands and how to go on with it, in a line or two."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from orchestrator.dispatch.results import RunEnd
from orchestrator.render.groups import block
from orchestrator.render.table import Columns
from orchestrator.render.text import count, names, safe
from orchestrator.rollout.events import RunState

_STYLES = {
    RunState.DONE: "green",
    RunState.FAILED: "red",
    RunState.ABORTED: "red",
}


def coloured(state: RunState) -> Text:
    """Return a state in its colour."""
    return Text(state.value, style=_STYLES.get(state, "yellow"))


def ended(run: RunEnd, failed: int = 0) -> Iterator[RenderableType]:
    """Yield which targets of a sealed plan came and went, then how the run stands.

    ``failed``: how many targets did, which a run may be done with all the same.
    """
    for which, of in (
        ("appeared since the plan was sealed, left alone", run.appeared),
        ("vanished since the plan was sealed", run.vanished),
    ):
        if of:
            text = f"{count(len(of), 'target')} {which}: "
            yield Text.assemble((text, "yellow"), names(of))
    if failed and run.state is RunState.DONE:
        without = f", but for {count(failed, 'target')}; try again: orchestrator retry {run.id}"
        yield Text.assemble(f"run {run.id}: ", coloured(run.state), without)
    else:
        yield standing(run.id, run.state, run.reason)


def standing(id_: int, state: RunState, reason: str, holder: str | None = None) -> RenderableType:
    """Return ``run 12: waiting, prod/canary soaks until …; go on with: orchestrator resume 12``.

    One line, but for a run that failed. ``holder`` is who drives it elsewhere.
    """
    text = Text.assemble(f"run {id_}: ", coloured(state))
    if reason and state not in _PLAIN:
        text.append(f", {safe(reason)}")
    if holder is not None and state not in _OVER:
        text.append(f", held by {safe(holder)}")
    if state is RunState.FAILED:
        return block(text, _mending(id_, reason))
    if step := _step(id_, state, reason, held=holder is not None):
        text.append(f"; {step}")
    return text


def _mending(id_: int, reason: str) -> Columns:
    """Return how to go on with a run that failed, by its targets or by a gate."""
    steps = {
        "try it again": f"orchestrator resume {id_}",
        "pass it": f"orchestrator resume {id_} --override REASON",
    }
    if _GATE not in reason:
        steps = {
            "try again": f"orchestrator retry {id_}",
            "go without": f"orchestrator skip {id_} TARGET --reason …",
            "a fixed revision": "orchestrator upgrade, as a new run",
        }
    rows = [[Text(f"{what}:", style="dim"), Text(how)] for what, how in steps.items()]
    return Columns(["", ""], rows, headed=False)


def _step(id_: int, state: RunState, reason: str, *, held: bool) -> str:
    """Return how to go on with a run; empty for one that is over or goes on by itself."""
    resume = f"orchestrator resume {id_}"
    if state in _OVER:
        return ""
    if state is RunState.WAITING and _APPROVAL in reason:
        approve = f"orchestrator approve {id_}"
        return f"go on with: {approve}" + ("" if held else f" && {resume}")
    return "" if held else f"go on with: {resume}"


_PLAIN = frozenset({RunState.DONE, RunState.RUNNING})
_OVER = frozenset({RunState.DONE, RunState.ABORTED, RunState.FAILED})
_GATE = "did not pass"
"""What the reason of a run says that failed at a gate."""
_APPROVAL = "waits for approval"
"""What the reason of a run says that waits for somebody."""
