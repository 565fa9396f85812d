"""Bodies of revisions, each for itself: whose text says all, and whose text may not."""

from dataclasses import dataclass
from textwrap import dedent

from tests.real.conftest import Fleet

Graph = tuple[str | tuple[str, ...], str | None]
"""After which revisions one comes, and on which one it depends."""

ALL = frozenset({"sqlite", "mariadb", "mysql", "postgres"})
MYSQL = frozenset({"mariadb", "mysql"})
SERVERS = ALL - {"sqlite"}
POSTGRES = frozenset({"postgres"})


@dataclass(frozen=True, slots=True, repr=False)
class Body:
    """What a revision does and undoes; ``NAME`` in it is a name of the revision's own."""

    name: str
    upgrade: str
    downgrade: str = 'op.drop_table("NAME")'
    on: frozenset[str] = ALL
    replays: bool = True
    """Whether the third target gets what was recorded of two others."""

    def __repr__(self) -> str:
        return self.name

    def of(self, number: int) -> tuple[str, str]:
        """Return both functions' texts in a revision of that number."""
        upgrade, downgrade = (
            dedent(text).strip().replace("NAME", f"x{number}")
            for text in (self.upgrade, self.downgrade)
        )
        return upgrade, downgrade


FIRST = """
op.create_table(
    "base",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("amount", sa.Numeric(10, 2), server_default="0.50"),
)
base = sa.table("base", sa.column("id"), sa.column("name"), sa.column("amount"))
op.bulk_insert(base, [{"id": n, "name": f"first {n}", "amount": n} for n in range(1, 4)])
"""

NASTY = """
from decimal import Decimal
from datetime import date, datetime
NAME = op.create_table(
    "NAME",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(100)),
    sa.Column("amount", sa.Numeric(10, 2)),
    sa.Column("at", sa.DateTime),
    sa.Column("day", sa.Date),
    sa.Column("data", sa.LargeBinary),
    sa.Column("yes", sa.Boolean),
)
names = ["it's", '"', "100%", "%s %(id)s %%", ":id", "a;b", "ünï ☃ 😀", "\\\\", "\\\\'; --", None]
op.bulk_insert(NAME, [
    {"id": n, "name": name, "amount": Decimal("1.10") * n, "at": datetime(2001, 2, 3, 4, n),
     "day": date(2001, 2, n + 1), "data": bytes([0, 39, 92, 37, 255, n]), "yes": n > 1}
    for n, name in enumerate(names, 1)
])
op.bulk_insert(NAME, [{"id": 70, "name": "one; alone %", "data": None}])
op.execute(NAME.update().where(NAME.c.id == 3).values(name="up'dated % :x ;"))
op.execute(NAME.delete().where(NAME.c.name == None))
"""

PURE = [
    Body(
        "types",
        """
        op.create_table(
            "NAME",
            sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
            sa.Column("small", sa.SmallInteger, nullable=False, server_default="7"),
            sa.Column("name", sa.String(30), server_default="it''s 100%", comment="a %; 'b'"),
            sa.Column("state", sa.Enum("new", "half%", name="NAME_state"), server_default="new"),
            sa.Column("long", sa.Text),
            sa.Column("size", sa.Float, comment="how big: all"),
            sa.Column("at", sa.DateTime, server_default=sa.func.now()),
            sa.Column("when", sa.Time),
            sa.Column("data", sa.JSON),
            sa.Column("base_id", sa.Integer, sa.ForeignKey("base.id", ondelete="CASCADE")),
            sa.Column("twice", sa.Integer, sa.Computed("small * 2", persisted=True)),
            sa.UniqueConstraint("small", "name", name=op.f("uq_NAME")),
            sa.CheckConstraint("small % 2 = 1", name="ck_NAME"),
            comment="made; by a 100% revision",
        )
        op.create_index(op.f("ix_NAME"), "NAME", ["name", sa.text("size DESC")], unique=False)
        """,
        'op.drop_table("NAME")',
    ),
    Body("nasty", NASTY),
    Body(
        "texts",
        r"""
        op.execute('CREATE TABLE "NAME" (name VARCHAR(80), n INTEGER)'.replace('"', ""))
        op.execute("INSERT INTO NAME VALUES ('100% sure; a\\:b ''q''', 1); ".rstrip("; "))
        op.execute(sa.text("INSERT INTO NAME VALUES (:name, :n)").bindparams(name="%s :n ;", n=2))
        op.execute("UPDATE NAME SET n = n % 2 + 5 WHERE name LIKE '100%%'")
        op.execute("INSERT INTO NAME SELECT name, id FROM base WHERE name LIKE 'f%'")
        op.execute("DELETE FROM NAME WHERE name = 'nobody -- # /* really'")
        """,
    ),
    Body(
        "loop",
        """
        def add(name, *, kind=sa.String(20), default=None):
            op.add_column("base", sa.Column(name, kind, server_default=default))
        for name in ("NAME_a", "NAME_b"):
            add(name, default=f"{name} %")
        op.execute("UPDATE base SET NAME_a = name WHERE id > 1".replace("name", "'x:'"))
        """,
        'op.drop_column("base", "NAME_a")\nop.drop_column("base", "NAME_b")',
    ),
    Body(
        "rename",
        """
        op.create_table("NAME_old", sa.Column("n", sa.Integer, primary_key=True))
        op.bulk_insert(sa.table("NAME_old", sa.column("n")), [{"n": n} for n in range(1, 6)])
        op.rename_table("NAME_old", "NAME")
        op.create_index("ix_NAME_n", "NAME", ["n"], unique=True)
        """,
    ),
    Body(
        "alter",
        """
        op.create_table("NAME", sa.Column("n", sa.Integer), sa.Column("m", sa.String(9)))
        op.alter_column("NAME", "n", existing_type=sa.Integer, type_=sa.BigInteger, nullable=False)
        op.alter_column("NAME", "m", existing_type=sa.String(9), new_column_name="k")
        op.alter_column("NAME", "k", existing_type=sa.String(9), server_default="%d", comment="k;")
        op.create_unique_constraint("uq_NAME_n", "NAME", ["n"])
        op.add_column("NAME", sa.Column("base_id", sa.Integer))
        op.create_foreign_key("fk_NAME", "NAME", "base", ["base_id"], ["id"])
        op.create_table_comment("NAME", "altered: 100%")
        """,
        on=SERVERS,
    ),
    Body(
        "drop",
        """
        op.create_table("NAME", sa.Column("n", sa.Integer), sa.Column("m", sa.Integer))
        op.execute(sa.table("NAME", sa.column("n")).insert().values(n=3))
        op.drop_column("NAME", "m")
        op.create_table("NAME_gone", sa.Column("n", sa.Integer))
        op.drop_table("NAME_gone")
        """,
    ),
    Body(
        "batch",
        """
        with op.batch_alter_table("base", schema=None) as batch_op:
            batch_op.add_column(sa.Column("NAME", sa.Numeric(6, 2), server_default="1.5"))
            batch_op.create_index(batch_op.f("ix_NAME"), ["NAME"], unique=False)
        """,
        'op.drop_index("ix_NAME", "base")\nop.drop_column("base", "NAME")',
        on=SERVERS,
    ),
    Body(
        "data that changes",
        """
        NAME = op.create_table("NAME", sa.Column("n", sa.Integer), sa.Column("data", sa.JSON))
        data = {"n": None, "long": "some text that is longer than what is shown of it", "seen": []}
        for n in range(3):
            data["n"] = n
            data["seen"] += [n]
            op.bulk_insert(NAME, [{"n": n, "data": data}])
        """,
    ),
    Body("where it is", "op.execute('CREATE TABLE NAME AS SELECT CURRENT_PLACE AS place')"),
    Body("nothing", "pass", "pass"),
    Body(
        "view",
        "op.execute(\"CREATE VIEW NAME AS SELECT id, name FROM base WHERE name LIKE '%i;%'\")",
        'op.execute("DROP VIEW NAME")',
        on=SERVERS,
    ),
    Body(
        "procedure",
        """
        op.create_table("NAME", sa.Column("n", sa.Integer))
        op.execute("CREATE PROCEDURE NAME_p() BEGIN INSERT INTO NAME VALUES (1); "
                   "INSERT INTO NAME VALUES (2); END")
        op.execute("CREATE TRIGGER NAME_t BEFORE INSERT ON NAME FOR EACH ROW SET NEW.n = NEW.n + 1")
        op.execute("INSERT INTO NAME VALUES (7)")
        """,
        'op.execute("DROP PROCEDURE NAME_p")\nop.drop_table("NAME")',
        on=MYSQL,
        replays=False,  # END might end a transaction
    ),
    Body(
        "call",
        """
        op.create_table("NAME", sa.Column("n", sa.Integer))
        op.execute("CREATE PROCEDURE NAME_p(k INT) INSERT INTO NAME VALUES (k), (k + 1)")
        op.execute("CALL NAME_p(3)")
        op.execute("UPDATE NAME SET n = n + 1")
        """,
        'op.execute("DROP PROCEDURE NAME_p")\nop.drop_table("NAME")',
        on=MYSQL,
    ),
    Body(
        "prepared",
        """
        op.execute("SET @s = 'CREATE TABLE NAME (n INTEGER)'")
        op.execute("PREPARE s FROM @s")
        op.execute("EXECUTE s")
        op.execute("DEALLOCATE PREPARE s")
        """,
        on=MYSQL,
    ),
    Body(
        "functions",
        """
        op.execute("CREATE FUNCTION NAME_f() RETURNS integer AS $$ BEGIN RETURN 7 % 4; END $$ "
                   "LANGUAGE plpgsql")
        op.execute("CREATE TABLE NAME AS SELECT NAME_f() AS n; INSERT INTO NAME VALUES (8)")
        op.execute("DO $$ BEGIN INSERT INTO NAME VALUES (9); END $$")
        """,
        'op.drop_table("NAME")\nop.execute("DROP FUNCTION NAME_f")',
        on=POSTGRES,
    ),
    Body(
        "of postgres",
        """
        from sqlalchemy.dialects import postgresql
        NAME = op.create_table(
            "NAME",
            sa.Column("id", sa.Integer, sa.Identity(start=3), primary_key=True),
            sa.Column("tags", postgresql.ARRAY(sa.Text)),
            sa.Column("data", postgresql.JSONB(astext_type=sa.Text())),
            sa.Column("key", postgresql.UUID),
        )
        tags = ["a", "100%", "it's", "{;}"]
        op.bulk_insert(NAME, [{"tags": tags, "data": {"a": [1, "%s"]}, "key": None}])
        tags.append("later")
        op.bulk_insert(NAME, [{"tags": tags, "data": [], "key": None}])
        """,
        on=POSTGRES,
    ),
]

PLACE = {
    "sqlite": "(SELECT count(*) FROM pragma_database_list)",
    "mariadb": "DATABASE()",
    "mysql": "DATABASE()",
    "postgres": "current_database()",
}


def write(fleet: Fleet, bodies: list[Body], graph: list[Graph] | None = None) -> None:
    """Write ``r0``, which makes a table that others change, and a revision of each body.

    They are a line, unless it is said after which revisions each comes, and on which it depends.
    """
    fleet.project.revision("r0", None, FIRST, 'op.drop_table("base")')
    for number, body in enumerate(bodies, 1):
        upgrade, downgrade = body.of(number)
        upgrade = upgrade.replace("CURRENT_PLACE", PLACE[fleet.kind])
        if fleet.kind == "postgres" and "_state" in upgrade:
            downgrade += f'\nop.execute("DROP TYPE x{number}_state")'
        down, depends_on = graph[number - 1] if graph else (f"r{number - 1}", None)
        path = fleet.project.revision(f"r{number}", down, upgrade, downgrade)
        said = "depends_on = None"
        path.write_text(path.read_text().replace(said, f"depends_on = {depends_on!r}"))


def bodies_on(kind: str, bodies: list[Body]) -> list[Body]:
    """Return those that a server can execute."""
    return [body for body in bodies if kind in body.on]
