"""How states look on a page: a code for the wire, a sign for who sees no colours, a class."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.rollout.outcomes import State

RUNNING = "r"
OPEN = "o"


@dataclass(frozen=True, slots=True)
class Look:
    """How one state looks."""

    code: str
    """One letter: a map of ten thousand targets is ten thousand of them."""
    name: str
    """The class in the style sheet."""
    sign: str
    """For who sees no colours, and for paper."""
    word: str


_LOOKS = {
    None: Look(OPEN, "open", "·", "open"),
    State.DONE: Look("d", "done", "✓", "done"),
    State.UNCHANGED: Look("u", "unchanged", "=", "unchanged"),
    State.FAILED: Look("f", "failed", "✕", "failed"),
    State.LOCKED: Look("l", "locked", "L", "locked"),
    State.IN_DOUBT: Look("q", "doubt", "?", "in doubt"),
    State.BLOCKED: Look("b", "blocked", "B", "blocked"),
    State.NOT_STARTED: Look("n", "open", "·", "not started"),
    State.SKIPPED: Look("s", "skipped", "S", "skipped"),
}
_RUNNING = Look(RUNNING, "running", "▸", "running")
ALL: tuple[Look, ...] = (*_LOOKS.values(), _RUNNING)
WORDS: Mapping[str, Look] = {one.code: one for one in ALL}


def look(state: State | None) -> Look:
    """Return how the state of a run's target looks."""
    return _LOOKS.get(state, _LOOKS[None])


def code_of(state: State | None) -> str:
    """Return the letter of a state."""
    return look(state).code
