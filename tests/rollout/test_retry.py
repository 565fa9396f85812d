"""When a failed attempt is tried again, and how long it waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.rollout.retry import retry_delay


def failed(attempts: int, state: State = State.FAILED, *, retryable: bool = True) -> Outcome:
    failure = Failure("no luck", retryable=retryable)
    return Outcome("dev/app", state, failure=failure, attempts=attempts)


@given(st.integers(1, 20), st.integers(0, 20), st.floats(0, 1))
def test_the_delay_doubles_spreads_by_half_and_ends(
    attempt: int, retries: int, jitter: float
) -> None:
    delay = retry_delay(failed(attempt), retries, 1.0, jitter)

    if attempt > retries:
        assert delay is None
    else:
        assert delay is not None
        assert 0.5 * 2 ** (attempt - 1) <= delay <= 1.5 * 2 ** (attempt - 1)


@pytest.mark.parametrize("state", sorted(set(State) - {State.FAILED}))
def test_only_a_failure_is_tried_again(state: State) -> None:
    assert retry_delay(failed(1, state), 5, 1.0, 0.5) is None


def test_what_may_have_changed_something_is_not_tried_again() -> None:
    assert retry_delay(failed(1, retryable=False), 5, 1.0, 0.5) is None
