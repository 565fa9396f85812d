"""What a database or schema holds, as values that can be compared."""

from dataclasses import dataclass

Details = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """A table, column, index, constraint, view, …, as the server describes it."""

    kind: str
    """In the words of SQL: ``table``, ``column``, ``foreign key``, …"""
    table: str
    """What it is part of; empty where it is part of nothing."""
    name: str
    details: Details
    """What is known of it, by name, the most telling first: ``type``, ``default``, …"""
    schema: str = ""
    """Empty for the target's own."""
