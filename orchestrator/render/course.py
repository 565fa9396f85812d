"""How a run stands and how to go on with it, in a line or two."""

from collections.abc import Iterator

from rich.text import Text

from orchestrator.actions.results import RunEnd
from orchestrator.render.times import moment
from orchestrator.render.words import names, safe
from orchestrator.rollout.events import RunState

_STYLES = {
    RunState.DONE: "green",
    RunState.FAILED: "red",
    RunState.ABORTED: "red",
}


def coloured(state: RunState) -> Text:
    """Return a state in its colour."""
    return Text(state.value, style=_STYLES.get(state, "yellow"))


def ended(run: RunEnd) -> Iterator[Text]:
    """Yield which targets of a sealed plan came and went, then how the run stands."""
    for which, of in (
        ("appeared since the plan was sealed, left alone", run.appeared),
        ("vanished since the plan was sealed", run.vanished),
    ):
        if of:
            yield Text(f"{which}: {names(of)}", style="dim")
    yield standing(run.id, run.state, run.reason, run.until)


def standing(id_: int, state: RunState, reason: str, until: int | None) -> Text:
    """Return ``run 12: waiting, prod/canary soaks until …; go on with: orchestrator resume 12``."""
    text = Text.assemble(f"run {id_}: ", coloured(state))
    if reason:
        text.append(f", {safe(reason)}")
    if until is not None:
        text.append(f", until {moment(until)}")
    if step := next_step(id_, state, reason):
        text.append("; ").append(step)
    return text


def next_step(id_: int, state: RunState, reason: str) -> str:
    """Return how to go on with a run; empty for one that is over."""
    resume = f"orchestrator resume {id_}"
    if state is RunState.WAITING and "waits for approval" in reason:
        return f"go on with: orchestrator approve {id_}, then {resume}"
    if state in {RunState.WAITING, RunState.PAUSED, RunState.RUNNING}:
        return f"go on with: {resume}"
    if state is RunState.FAILED:
        retry = f"orchestrator retry {id_}"
        return f"go on with: {retry}, or without: orchestrator skip {id_} TARGET --reason …"
    return ""
