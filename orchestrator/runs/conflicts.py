"""What is in the way of a run: another plan, another run, something left half done."""

from collections.abc import Sequence

from orchestrator.errors import Busy, Refused
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import DoubtRecord
from orchestrator.rollout.events import RunAborted
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.plan_changes import differences

_SHOWN = 20


def refuse_other(sealed: Plan, now: Plan) -> None:
    """Raise ``Refused`` where what would run is not what a sealed plan says."""
    found = differences(sealed, now)
    if not found:
        return
    shown = "\n".join(f"  {line}" for line in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    raise Refused(
        f"the plan does not match, and nothing was started:\n{shown}{more}\n"
        "make a new plan: orchestrator plan … --out FILE"
    )


def refuse_unfinished(ledger: Ledger, plan: Plan, own: int | None = None) -> None:
    """Raise ``Refused`` where another run still has to do what this one would change.

    It may wait at a gate, which this one would not know of. ``own``: this one is recorded already;
    of two that began at one instant, the later gives way and is aborted.
    """
    unfinished = ledger.unfinished([target.name for target in plan.busy])
    found = {run: name for run, name in unfinished.items() if own is None or run < own}
    if not found:
        return
    if own is not None:
        with ledger.hold(own, Holder.here()) as hold:
            hold.write([RunAborted(ledger.now(), "", "another run began at the same time")])
    run, name = min(found.items())
    record = ledger.run(run)
    held = f", held by {record.holder}" if record.holder else ""
    message = (
        f"run {run} is {record.state}{held}, and still has {name} to do\n"
        f"  go on with it: orchestrator resume {run}; or give it up: orchestrator abort {run}"
    )
    raise Busy(message, run, record.holder) if record.holder else Refused(message)


def refuse_doubts(ledger: Ledger, names: Sequence[str], but: int | None = None) -> None:
    """Raise ``Refused`` where a run left a target half done, as far as is known, and nobody has
    looked after it. Not where it is the run ``but``, which looks itself."""
    doubts = [doubt for doubt in ledger.doubts(names) if doubt.run != but]
    if not doubts:
        return
    for run, name in {doubt.run: doubt.target for doubt in doubts if doubt.state is None}.items():
        if (holder := ledger.holder(run)) is not None:
            message = (
                f"run {run}, held by {holder}, is at work on {name}\n"
                "  wait until it is done: --wait-for-lock 10m; or go without: "
                f"--exclude {name}"
            )
            raise Busy(message, run, holder)
    shown = "\n".join(f"  {_doubt(doubt)}" for doubt in doubts[:_SHOWN])
    more = f"\n  and {len(doubts) - _SHOWN:,} more" if len(doubts) > _SHOWN else ""
    first = doubts[0]
    if first.state is None:
        step = f"let that run look first: orchestrator resume {first.run}"
    else:
        step = (
            "compare each with its revision, complete or undo that by hand, and go on:\n"
            f"  orchestrator retry {first.run} {first.target}, "
            f"or orchestrator skip {first.run} {first.target} --reason …"
        )
    raise Refused(
        f"an earlier run may have left something half done:\n{shown}{more}\n{step}\n"
        f"or go without: --exclude {first.target}"
    )


def _doubt(doubt: DoubtRecord) -> str:
    if doubt.state is None:
        revisions = ", ".join(dict.fromkeys(r for c in doubt.committing for r in c.revisions))
        return f"{doubt.target}: run {doubt.run} began {revisions}, and nobody recorded the end"
    said = f": {doubt.failure.message}" if doubt.failure is not None else ""
    if doubt.state is State.FAILED and doubt.failure is not None:
        return f"{doubt.target}: {doubt.failure.revision} half applied by run {doubt.run}{said}"
    return f"{doubt.target}: in doubt since run {doubt.run}{said}"
