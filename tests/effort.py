"""How hard properties are tried: a little with every change, as hard as written every night."""

import os

FULL = os.environ.get("ORCHESTRATOR_TEST_EFFORT") == "full"
"""As ``make test-slow`` has it."""


def examples(count: int) -> int:
    """Return how many examples of a property are tried: ``count``, or a quarter of it."""
    return count if FULL else max(1, count // 4)
