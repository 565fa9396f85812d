"""Every error that reaches a user, and the exit code that it owns.

    OrchestratorError          1  a bug of ours
    ├── UsageError             2  bad input: arguments, selectors
    │   ├── ConfigError        2  mistakes in environments.toml
    │   └── SecretError        2  a secret that can't be resolved
    ├── TargetsFailed          3  what should have been read or done on targets was not
    ├── Refused                5  we could, but must not: not confirmed, locked, gate closed
    │   └── Busy               5  another run is at work there: it may be waited for
    └── NotWritten             5  it was done, and could not be told: the disk is full

A message names the target, the cause and the next step. Partial failure of a fan-out is a
value (see ``rollout.outcomes``), not an exception.
"""

from typing import ClassVar


class OrchestratorError(Exception):
    """An error with one clear message for the user and the exit code of its kind."""

    exit_code: ClassVar[int] = 1


class UsageError(OrchestratorError):
    """What the user asked for can't be understood."""

    exit_code = 2


class ConfigError(UsageError):
    """``environments.toml`` is missing or has mistakes; the message lists all of them."""


class SecretError(UsageError):
    """A ``${env:}``, ``${file:}`` or ``${cmd:}`` that can't be resolved."""


class TargetsFailed(OrchestratorError):
    """A server or target could not do what was asked of it."""

    exit_code = 3


class Refused(OrchestratorError):
    """Nothing was done, on purpose."""

    exit_code = 5


class Busy(Refused):
    """Another run, which somebody drives right now, is at work on what was asked for."""

    def __init__(self, message: str, run: int, holder: str) -> None:
        self.run, self.holder = run, holder
        super().__init__(message)


class NotWritten(OrchestratorError):
    """A result could not be written to standard output. What was done stays done."""

    exit_code = 5
