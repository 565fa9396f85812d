"""wait: look at targets until all are where they are to be. Changes nothing, needs no ledger."""

import math
import time
from collections.abc import Sequence

from orchestrator.dispatch.observer import NOTIFY_INTERVAL, NullObserver, Observer
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.snapshot.reader import SnapshotReader

_FIRST = 0.5
_LONGEST = 5.0
_WORDS = {State.EMPTY: "has no revision yet", State.BEHIND: "is behind"}


def wait_until_there(
    snapshot: SnapshotReader, targets: Sequence[Target], observer: Observer, timeout: float
) -> dict[str, Outcome]:
    """Return the outcomes of ``targets``, as of ``status``, once each is ``CURRENT``.

    Earlier where ``timeout`` seconds are over, where the scripts of a database can't be read, which
    waiting does not fix, and after Ctrl-C.
    """
    until, pause, said = time.monotonic() + timeout, _FIRST, -math.inf
    found: dict[str, Outcome] = {}
    left = list(targets)
    while True:
        found |= snapshot.outcomes(left, NullObserver())
        for target in left:
            if found[target.name].state is State.CURRENT:
                observer.finished(target, found[target.name])
        left = [target for target in left if found[target.name].state is not State.CURRENT]
        broken = [target for target in left if target.database not in snapshot.histories]
        now = time.monotonic()
        if not left or broken or now >= until or snapshot.workers.interrupted:
            return found
        if now - said >= NOTIFY_INTERVAL:
            said = now
            observer.waiting(f"for {len(left):,} of {len(targets):,}", _why(left, found))
        snapshot.workers.sleep(min(pause, until - now))
        snapshot = snapshot.again()
        pause = min(2 * pause, _LONGEST)


def _why(left: Sequence[Target], found: dict[str, Outcome]) -> str:
    outcome = found[left[0].name]
    if outcome.failure is not None:
        return f"{outcome.target}: {outcome.failure.message}"
    return f"{outcome.target} {_WORDS.get(outcome.state, f'is {outcome.state}')}"
