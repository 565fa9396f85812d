"""Owners and rights are drift where the file asks for it."""

from collections.abc import Callable, Iterator

import pytest

from tests.real.conftest import Fleet
from tests.servers import unique

CREATE = """
op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))
if op.get_bind().dialect.name == "postgresql":
    op.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    op.execute("CREATE SEQUENCE s")
    op.execute("CREATE TYPE mood AS ENUM ('low')")
"""
ON_POSTGRES = {
    "a table": ("GRANT SELECT ON items TO {}", "rights table items"),
    "a right that may be passed on": (
        "GRANT SELECT ON items TO {} WITH GRANT OPTION",
        "rights table items",
    ),
    "a column": ("GRANT UPDATE (id) ON items TO {}", "rights column items.id"),
    "a sequence": ("GRANT USAGE ON SEQUENCE s TO {}", "rights sequence s"),
    "a function": ("REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC", "rights function f()"),
    "a type": ("GRANT USAGE ON TYPE mood TO {}", "rights type mood"),
    "the schema": ("GRANT CREATE ON SCHEMA public TO {}", "rights schema"),
    "an owner": ("ALTER TABLE items OWNER TO {}", "rights table items"),
}
ON_MYSQL = {
    "the database": ("GRANT SELECT ON {database}.* TO {}", "rights database"),
    "a table": ("GRANT SELECT ON {database}.items TO {}", "rights table items"),
    "a column": ("GRANT SELECT (id) ON {database}.items TO {}", "rights column items.id"),
}
CASES = [
    *(("postgres", what) for what in ON_POSTGRES),
    *((kind, what) for kind in ("mariadb", "mysql") for what in ON_MYSQL),
]


@pytest.fixture
def role(request: pytest.FixtureRequest) -> Iterator[str]:
    kind = request.node.callspec.params["kind"]
    server, name = request.getfixturevalue(kind), unique("somebody")
    server.execute(f"CREATE ROLE {name}")
    yield name
    server.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(("kind", "what"), CASES)
def test_a_right_more_is_drift_where_the_file_asks_for_it(
    kind: str, what: str, role: str, new_fleet: Callable[[str], Fleet]
) -> None:
    fleet = new_fleet(kind)
    fleet.declare(3)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    sql, told = (ON_POSTGRES if kind == "postgres" else ON_MYSQL)[what]
    fleet.rows("t001", sql.replace("{database}", fleet.database("t001")).format(role))
    path = fleet.project.folder / "environments.toml"

    fleet.project.run("drift")
    asks = "[databases.app]\ndrift = { grants = true }\n"
    path.write_text(path.read_text().replace("[databases.app]\n", asks))
    ran = fleet.project.run("drift", code=4)

    text = " ".join(ran.out.split())
    assert told in text, ran
    assert "t001: " in text
    if "PUBLIC" not in sql:
        assert role in text
    else:
        assert "PUBLIC" in text
    if kind == "postgres":  # what the role has would keep it from being dropped
        fleet.rows("t001", "ALTER TABLE items OWNER TO CURRENT_USER")
        fleet.rows("t001", f"DROP OWNED BY {role}")
