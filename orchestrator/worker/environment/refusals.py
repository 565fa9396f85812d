"""Why an ``env.py``, or what it runs, is not let go on."""


class NotRun(Exception):
    """``env.py`` did not do what an Alembic environment for this target does."""

    def __init__(self, message: str, next_step: str | None = None) -> None:
        self.next_step = next_step
        super().__init__(message)


class Elsewhere(NotRun):
    """DDL was about to run on a database that is not the target."""
