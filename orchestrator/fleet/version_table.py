"""Alembic's version table."""

from dataclasses import dataclass

NOT_OWN_STEP = "leave version_table_schema out of env.py, or let it be the target's schema"


@dataclass(frozen=True, slots=True)
class VersionTable:
    """Where Alembic keeps the heads."""

    name: str = "alembic_version"
    schema: str | None = None
    """``None``: the target's own."""

    def not_own(self, own: str | None) -> str | None:
        """Say what is wrong with a table that is not in a target's own schema or database.

        Two targets that shared one would each believe to be where the other is.
        """
        if self.schema is None or own is None or self.schema == own:
            return None
        return (
            f"env.py keeps its versions in schema '{self.schema}', where the target's own is "
            f"'{own}': other targets would share them"
        )

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"
