"""Alembic's autogenerate tuples as differences that people and programs can read.

The tuples are documented at https://alembic.sqlalchemy.org/en/latest/api/autogenerate.html
(``compare_metadata``).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.rollout.outcomes import Difference


def differences(diffs: Iterable[Any]) -> tuple[Difference, ...]:
    """Return one difference per thing that differs. An operation of a plugin is shown as it is."""
    return tuple(found for diff in diffs for found in _flat(diff))


def _flat(diff: Any) -> Iterator[Difference]:
    if isinstance(diff, list):
        for part in diff:
            yield from _flat(part)
        return
    kind = str(diff[0])
    describe = _DESCRIBE.get(kind)
    yield describe(diff) if describe else Difference(kind, " ".join(map(str, diff)))


def _table(diff: Any) -> Difference:
    kind, table = diff
    name = table.fullname
    if kind == "add_table":
        columns = ", ".join(column.name for column in table.columns)
        return Difference(kind, f"missing table {name} ({columns})", name)
    return Difference(kind, f"extra table {name}", name)


def _table_comment(diff: Any) -> Difference:
    kind, table = diff[0], diff[1]
    comment = table.comment if kind == "add_table_comment" else None
    return Difference(
        kind, f"table {table.fullname}: comment should be {comment!r}", table.fullname
    )


def _column(diff: Any) -> Difference:
    kind, schema, table, column = diff
    name = _full(schema, table)
    word = "missing" if kind == "add_column" else "extra"
    return Difference(
        kind, f"{word} column {name}.{column.name} ({column.type})", name, column.name
    )


def _modified(diff: Any) -> Difference:
    kind, schema, table, column, _, database, model = diff
    name = _full(schema, table)
    what = kind.removeprefix("modify_").replace("_", " ").replace("default", "server default")
    there, here = _value(database, what), _value(model, what)
    text = f"column {name}.{column}: {what} is {there}, the model says {here}"
    return Difference(kind, text, name, column, there, here)


def _index(diff: Any) -> Difference:
    kind, index = diff
    table = index.table.fullname if index.table is not None else None
    unique = "unique " if index.unique else ""
    word = "missing" if kind == "add_index" else "extra"
    parts = ", ".join(getattr(part, "name", None) or str(part) for part in index.expressions)
    return Difference(
        kind, f"{word} {unique}index {index.name} on {table}({parts})", table, index.name
    )


def _constraint(diff: Any) -> Difference:
    kind, constraint = diff
    table = constraint.table.fullname
    word = "missing" if kind.startswith("add") else "extra"
    what = type(constraint).__name__.removesuffix("Constraint").lower()
    columns = ", ".join(column.name for column in constraint.columns)
    text = f"{word} {what} constraint {constraint.name or ''} on {table}({columns})".replace(
        "  ", " "
    )
    return Difference(kind, text, table, _name(constraint))


def _foreign_key(diff: Any) -> Difference:
    kind, constraint = diff
    table = constraint.table.fullname
    word = "missing" if kind == "add_fk" else "extra"
    columns = ", ".join(column.name for column in constraint.columns)
    refers = ", ".join(element.target_fullname for element in constraint.elements)
    name = f"{_name(constraint)} " if constraint.name else ""
    text = f"{word} foreign key {name}on {table}({columns}) → {refers}"
    return Difference(kind, text, table, _name(constraint))


def _name(constraint: Any) -> str | None:
    return None if constraint.name is None else str(constraint.name)


def _full(schema: str | None, table: str) -> str:
    return f"{schema}.{table}" if schema else table


def _value(value: Any, what: str) -> str:
    if what == "nullable":
        return "NULL" if value else "NOT NULL"
    argument = getattr(value, "arg", value)
    return "none" if argument is None or argument is False else str(argument)


_DESCRIBE = {
    "add_table": _table,
    "remove_table": _table,
    "add_table_comment": _table_comment,
    "remove_table_comment": _table_comment,
    "add_column": _column,
    "remove_column": _column,
    "modify_type": _modified,
    "modify_nullable": _modified,
    "modify_default": _modified,
    "modify_comment": _modified,
    "add_index": _index,
    "remove_index": _index,
    "add_constraint": _constraint,
    "remove_constraint": _constraint,
    "add_fk": _foreign_key,
    "remove_fk": _foreign_key,
}
