"""How one schema differs from another."""

import hypothesis.strategies as st
from hypothesis import given

from orchestrator.fleet.drift import Change, Drift, drift
from orchestrator.fleet.schema import Thing

TABLE = Thing("table", "", "orders", (("options", "ENGINE=InnoDB"),))
ID = Thing("column", "orders", "id", (("type", "INT"), ("nullable", "no"), ("position", "1")))
TOTAL = Thing(
    "column",
    "orders",
    "total",
    (("type", "DECIMAL(12,2)"), ("nullable", "no"), ("default", "0"), ("position", "2")),
)
INDEX = Thing("index", "orders", "ix_tmp", (("on", "(email)"),))
ORDERS = (TABLE, ID, TOTAL)


def column(name: str, position: int, **details: str) -> Thing:
    return Thing(
        "column",
        "orders",
        name,
        (("type", "INT"), ("nullable", "yes"), *details.items(), ("position", str(position))),
    )


def test_equal_schemas_have_no_drift_in_any_order() -> None:
    assert drift(ORDERS, reversed(ORDERS)) == ()


def test_a_detail_that_was_changed_is_told_by_itself() -> None:
    details = (("type", "DECIMAL(10,2)"), *TOTAL.details[1:])
    changed = Thing("column", "orders", "total", details)

    assert drift((TABLE, ID, changed), ORDERS) == (
        Drift(
            Change.CHANGED,
            "column",
            "orders",
            "total",
            detail="type",
            value="DECIMAL(10,2)",
            baseline="DECIMAL(12,2)",
        ),
    )


def test_a_detail_that_only_one_has_is_none_for_the_other() -> None:
    without = Thing("column", "orders", "total", tuple(d for d in TOTAL.details if d[1] != "0"))

    (found,) = drift((TABLE, ID, without), ORDERS)

    assert (found.detail, found.value, found.baseline) == ("default", None, "0")


def test_what_is_extra_is_missing_the_other_way_round() -> None:
    assert drift((*ORDERS, INDEX), ORDERS) == (
        Drift(Change.EXTRA, "index", "orders", "ix_tmp", value="(email)"),
    )
    assert drift(ORDERS, (*ORDERS, INDEX)) == (
        Drift(Change.MISSING, "index", "orders", "ix_tmp", value="(email)"),
    )


def test_of_a_table_only_one_has_only_itself_is_told() -> None:
    (found,) = drift((*ORDERS, INDEX), ())

    assert (found.change, found.kind, found.name) == (Change.EXTRA, "table", "orders")
    assert found.value == "(id, total)"


def test_the_index_of_a_constraint_is_not_told_beside_it() -> None:
    constraint = Thing("unique constraint", "orders", "uq", (("definition", "UNIQUE (email)"),))
    index = Thing("unique index", "orders", "uq", (("on", "(email)"), ("of constraint", "uq")))

    (found,) = drift((*ORDERS, constraint, index), ORDERS)

    assert found.kind == "unique constraint"


def test_a_column_in_the_middle_is_no_other_order() -> None:
    base = (TABLE, column("a", 1), column("b", 2))
    more = (TABLE, column("a", 1), column("new", 2), column("b", 3))

    (found,) = drift(more, base)

    assert (found.change, found.name) == (Change.EXTRA, "new")


def test_another_order_of_columns_is_told_once_for_the_table() -> None:
    base = (TABLE, column("a", 1), column("b", 2), column("c", 3))
    moved = (TABLE, column("c", 1), column("a", 2), column("b", 3))

    (found,) = drift(moved, base)

    assert (found.kind, found.name, found.detail) == ("table", "orders", "column order")
    assert (found.value, found.baseline) == ("c, a, b", "a, b, c")


def test_other_words_for_the_same_are_told_only_where_nothing_else_is() -> None:
    here = Thing("table", "", "orders", (("written", "CREATE TABLE a"),))
    there = Thing("table", "", "orders", (("written", "CREATE TABLE b"),))

    assert [d.detail for d in drift((here, ID), (there, ID))] == ["written"]
    assert [d.name for d in drift((here, ID), (there,))] == ["id"]


names = st.sampled_from(["a", "b", "c"])
things = st.lists(
    st.builds(
        lambda table, name, type_, at: Thing(
            "column", table, name, (("type", type_), ("position", str(at)))
        ),
        names,
        names,
        st.sampled_from(["INT", "TEXT"]),
        st.integers(1, 3),
    )
    | st.builds(lambda name, text: Thing("table", "", name, (("options", text),)), names, names)
    | st.builds(lambda t, n, on: Thing("index", t, n, (("on", on),)), names, names, names),
    unique_by=lambda thing: (thing.kind, thing.table, thing.name),
)


def shape(found: list[Thing]) -> object:
    """What is left of things when only the order of columns in their table counts."""
    orders = {}
    for thing in found:
        if thing.kind == "column":
            orders.setdefault(thing.table, []).append(thing)
    return (
        {
            t: [c.name for c in sorted(cs, key=lambda c: dict(c.details)["position"])]
            for t, cs in orders.items()
        },
        {(t.kind, t.table, t.name, *(d for d in t.details if d[0] != "position")) for t in found},
    )


@given(things, things)
def test_schemas_have_drift_if_and_only_if_they_differ(
    one: list[Thing], other: list[Thing]
) -> None:
    # Two columns at one place have no order.
    for found in (one, other):
        places = [(t.table, dict(t.details).get("position")) for t in found if t.kind == "column"]
        if len(set(places)) < len(places):
            return
    assert bool(drift(one, other)) == (shape(one) != shape(other))
    assert len(drift(one, other)) == len(drift(other, one))
