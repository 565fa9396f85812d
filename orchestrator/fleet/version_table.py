"""Alembic's version table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VersionTable:
    """Where Alembic keeps the heads."""

    name: str = "alembic_version"
    schema: str | None = None
    """``None``: the target's own."""

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"
