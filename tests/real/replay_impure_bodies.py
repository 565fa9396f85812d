"""Bodies of revisions whose text does not say all: they are built for each target."""

from tests.real.replay_bodies import POSTGRES, SERVERS, Body

READS = "rows = op.get_bind().execute(sa.text('SELECT id, name FROM base ORDER BY id')).all()\n"
MAKE = 'op.create_table("NAME", sa.Column("n", sa.Integer), sa.Column("name", sa.String(200)))\n'

IMPURE = [
    Body(
        "rows read",
        MAKE
        + READS
        + "for id_, name in rows:\n"
        + "    op.execute(f\"INSERT INTO NAME VALUES ({id_}, '{name}')\")",
        replays=False,
    ),
    Body(
        "inspector",
        'if not sa.inspect(op.get_bind()).has_table("NAME"):\n    ' + MAKE,
        replays=False,
    ),
    Body(
        "another connection",
        MAKE.strip()
        + """
with op.get_bind().engine.connect() as other:
    n = other.execute(sa.text("SELECT 7")).scalar()
op.execute(f"INSERT INTO NAME VALUES ({n}, 'x')")
""",
        on=SERVERS,
        replays=False,
    ),
    Body(
        "driver",
        MAKE
        + "cursor = op.get_bind().connection.cursor()\n"
        + "cursor.execute(\"INSERT INTO NAME VALUES (3, 'by hand')\")\ncursor.close()",
        replays=False,
    ),
    Body(
        "try",
        MAKE
        + "try:\n    with op.get_bind().begin_nested():\n        op.execute('INSERT INTO nowhere "
        + "VALUES (1)')\nexcept sa.exc.DBAPIError:\n    op.execute(\"INSERT INTO NAME VALUES "
        + "(1, 'it failed')\")",
        replays=False,
    ),
    Body(
        "autocommit",
        'with op.get_context().autocommit_block():\n    op.execute("CREATE INDEX CONCURRENTLY '
        'NAME ON base (name)")',
        'op.drop_index("NAME", "base")',
        on=POSTGRES,
        replays=False,
    ),
    Body(
        "its own name",
        MAKE + "name = op.get_bind().engine.url.database\n"
        "op.execute(f\"INSERT INTO NAME VALUES (1, '{name}')\")",
        replays=False,
    ),
    Body(
        "returns rows",
        MAKE + "op.execute('SELECT * FROM NAME')",
        replays=False,
    ),
]

OWN = """
import CHANCE
op.create_table("own_NAME", sa.Column("it", sa.String(200)))
op.execute(f"INSERT INTO own_NAME VALUES ('{IT}')")
"""
CHANCES = [
    Body(
        f"by {module}",
        OWN.replace("CHANCE", module).replace("IT", f"{module}.{value}"),
        'op.drop_table("own_NAME")',
        replays=False,
    )
    for module, value in {
        "uuid": "uuid4()",
        "random": "random()",
        "datetime": "datetime.now()",
        "time": "monotonic_ns()",
        "secrets": "token_hex()",
        "os": "urandom(8).hex()",
    }.items()
]
"""What each of them inserts is another thing each time."""
