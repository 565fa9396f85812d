"""Progress as lines, for logs and pipes."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TextIO

from orchestrator.dispatch.observer import NullObserver
from orchestrator.fleet.target import Target
from orchestrator.render.events import told
from orchestrator.render.text import count, elapsed, heads, safe, short
from orchestrator.rollout.events import Event
from orchestrator.rollout.outcomes import Failure, Outcome, State

_CHANGING = frozenset({"upgrade", "downgrade", "stamp"})
# Told one by one only where there are few: in big fleets they are most targets, and no news.
_NO_NEWS = frozenset({State.UNCHANGED, State.BLOCKED, State.NOT_STARTED})
_FEW = 50
_PACK = 100


class PlainProgress(NullObserver):
    """One line for each target that was changed or failed; the uneventful only now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._changing = False
        self._total = self._done = 0
        self._began = 0.0
        self._packed: Counter[State] = Counter()

    def begin(self, verb: str, targets: Sequence[Target]) -> None:
        """Forget what was before."""
        self._changing = verb in _CHANGING
        self._total, self._done = len(targets), 0
        self._began = self._clock()
        self._packed.clear()

    def retrying(self, target: Target, failure: Failure, delay: float) -> None:
        """Say why, and when."""
        self._line(
            f"{'retrying':<11} {target.name}  in {elapsed(delay)}: {_first(failure.message)}"
        )

    def throttled(self, server: str, limit: int, failure: Failure) -> None:
        """Say how many go on at once, and why."""
        self._line(f"{'fewer':<11} {throttled(server, limit, failure)}")

    def waiting(self, what: str, why: str) -> None:
        """Say who waits for what."""
        self._line(f"{'waiting':<11} {what}  {_first(why)}")

    def finished(self, target: Target, outcome: Outcome) -> None:  # noqa: ARG002
        """Say what became of the target, at once or with others."""
        self._done += 1
        if not self._changing or outcome.state is State.PLANNED:
            self._tenth()
        elif outcome.state in _NO_NEWS and self._total > _FEW:
            self._pack(outcome.state)
        else:
            self._line(finished(outcome))

    def happened(self, event: Event) -> None:
        """Say what the run does now."""
        if line := told(event):
            self._line(line)

    def interrupted(self, presses: int) -> None:
        """Say what happens now."""
        self._line(interrupted(presses))

    def _tenth(self) -> None:
        step = max(self._total // 10, 1)
        if self._total > _FEW and (self._done % step == 0 or self._done == self._total):
            percent = self._done * 100 // self._total
            since = elapsed(self._clock() - self._began)
            self._line(f"{percent:>3}%  {self._done:,} of {count(self._total, 'target')}  {since}")

    def _pack(self, state: State) -> None:
        self._packed[state] += 1
        if self._packed[state] % _PACK == 0:
            number = count(self._packed[state], "target")
            self._line(f"{_word(state):<11} {number} so far")

    def _line(self, text: str) -> None:
        self._stream.write(safe(text) + "\n")
        self._stream.flush()


def finished(outcome: Outcome) -> str:
    """Return ``done  prod/orders/acme  a1 → b2  1.2s``."""
    parts = [f"{_word(outcome.state):<11} {outcome.target}"]
    if outcome.state is State.DONE:
        parts.append(f"{heads(outcome.heads_before)} → {heads(outcome.heads)}")
    elif outcome.heads and outcome.failure is None:
        parts.append(heads(outcome.heads))
    if outcome.blocked_by:
        parts.append(f"by {outcome.blocked_by}")
    if outcome.failure:
        parts.append(_cause(outcome.failure))
    if outcome.attempts:
        parts.append(elapsed(outcome.seconds))
    return "  ".join(parts)


def interrupted(presses: int) -> str:
    """Return what a Ctrl-C does."""
    if presses == 1:
        return "interrupted: nothing more starts, what runs is finished; again to stop it"
    return "interrupted again: stopping what runs"


def throttled(server: str, limit: int, failure: Failure) -> str:
    """Return what a server ran out of, and what that leads to."""
    return f"at most {count(limit, 'target')} at once on {server} now: {_first(failure.message)}"


def _cause(failure: Failure) -> str:
    where = f"{short(failure.revision)}: " if failure.revision else ""
    return where + _first(failure.message)


def _first(message: str) -> str:
    return next((line for line in message.splitlines() if line.strip()), "")


def _word(state: State) -> str:
    return state.value.replace("_", " ")
