"""When a failed attempt is tried again."""

from orchestrator.rollout.outcomes import Outcome, State


def retry_delay(outcome: Outcome, retries: int, first_delay: float, jitter: float) -> float | None:
    """Return the seconds to wait before the next attempt, or ``None`` for no further attempt.

    Only a failure that changed nothing is tried again, ``retries`` times. The delay doubles with
    each attempt and is spread by half around that, by ``luck`` from 0 to 1, so that targets that
    failed together don't come back together.
    """
    failure = outcome.failure
    if outcome.state is not State.FAILED or failure is None or not failure.retryable:
        return None
    if outcome.attempts > retries:
        return None
    return first_delay * 2.0 ** (outcome.attempts - 1) * (0.5 + jitter)
