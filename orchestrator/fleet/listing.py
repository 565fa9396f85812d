"""How many things are named in one message."""

from collections.abc import Sequence


def some(names: Sequence[str], limit: int = 5, between: str = ", ") -> str:
    """Return ``a, b, c``, or ``a, b and 990 more`` where there are more than ``limit``."""
    if len(names) <= limit:
        return between.join(names)
    return f"{between.join(names[:limit])} and {len(names) - limit:,} more"
