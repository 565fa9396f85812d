"""How many workers the process's limit of open files allows."""

import resource

_RESERVED = 40
"""Files that a command has open besides: streams, ledger, events, the scripts it reads."""
_PER_WORKER = 6
"""A worker takes three, and as many workers may be idle as may be busy."""
_WANTED = 65_536


def raise_limit() -> None:
    """Raise the soft limit of open files as far as is allowed. For a process of our own only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def workers_allowed() -> int:
    """Return how many workers may be busy at once; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else max(1, (soft - _RESERVED) // _PER_WORKER)
