"""What happens in a run, a line each."""

from orchestrator.rollout.events import (
    Event,
    GateFailed,
    GatePassed,
    Overridden,
    RunAborted,
    RunPaused,
    RunResumed,
    RunWaiting,
    TargetMade,
    WaveEnded,
    WaveStarted,
    WaveState,
)

_WIDTH = 11


def told(event: Event) -> str | None:
    """Return a line for what a watcher wants to know at once; ``None`` for everything else.

    What becomes of targets is told by others, and how the run ended by its report.
    """
    found = _told(event)
    if found is None:
        return None
    word, rest = found
    return f"{word:<{_WIDTH}} {rest}"


def _told(event: Event) -> tuple[str, str] | None:
    match event:
        case WaveStarted(name=name) if "/" in name:
            return "wave", f"{name} starts"
        case WaveEnded(state=WaveState.GATE, name=name, failed=failed):
            return "wave", f"{name} is through{_failed(failed)}"
        case WaveEnded(state=WaveState.PASSED, name=name, failed=failed) if "/" in name:
            return "wave", f"{name} passed{_failed(failed)}"
        case GatePassed(kind=kind, name=name, detail=detail):
            return "gate", f"{name}: {kind} passed{f' ({detail})' if detail else ''}"
        case GateFailed(kind=kind, name=name, detail=detail):
            return "gate", f"{name}: {kind} failed: {detail}"
        case Overridden(kind=kind, by=by, reason=reason):
            return "overridden", f"{kind}, by {by}: {reason}"
        case TargetMade(target=target, what=what, detail=detail):
            return what, f"{target}  {detail}"
        case RunWaiting(reason=reason):
            return "waiting", reason
        case _:
            return _stopped(event)


def _stopped(event: Event) -> tuple[str, str] | None:
    match event:
        case RunPaused(by=by, reason=reason) if reason != "interrupted":
            why = f"by {by}" if by else reason
            return "paused", f"{why}: nothing more starts, what runs is finished"
        case RunAborted(by=by):
            return "aborted", f"by {by}: nothing more starts, what runs is finished"
        case RunResumed(by=by):
            return "resumed", f"by {by}"
    return None


def _failed(count: int) -> str:
    return f", {count:,} failed" if count else ""
