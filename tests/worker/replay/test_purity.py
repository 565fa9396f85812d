"""Which revisions are the same for every target, by their text."""

from textwrap import dedent, indent

import pytest

from orchestrator.worker.replay.purity import impurity_of

HEAD = """
'''make orders'''
from typing import Sequence, Union
from collections.abc import Iterable
import datetime
from datetime import date
from decimal import Decimal
import textwrap
import sqlalchemy as sa
from sqlalchemy import Column, func, String
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql import column, table
from alembic import op

revision: str = "a1"
down_revision: Union[str, None] = None
branch_labels: Union[str, Sequence[str], None] = None
"""

PURE = {
    "a table": """
        op.create_table(
            "orders",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("placed", sa.DateTime(), server_default=sa.func.now(), nullable=False),
            Column("state", sa.Enum("new", "paid", name="state"), server_default="new"),
            sa.Column("seen", sa.DateTime(), server_default=func.now()),
            sa.Column("data", postgresql.JSONB(astext_type=sa.Text())),
            sa.Column("size", mysql.TINYINT(unsigned=True)),
            sa.ForeignKeyConstraint(["id"], ["users.id"], name=op.f("fk_orders_id")),
            sa.Identity(start=3),
        )
        op.create_index(op.f("ix_orders_id"), "orders", ["id"], unique=False)
    """,
    "rows": """
        states = sa.table("states", sa.column("id", sa.Integer), column("name", String))
        op.bulk_insert(states, [{"id": n, "name": f"state {n}"} for n in range(3)])
        op.execute(states.update().where(states.c.id == 1).values(name="first"))
        op.execute(sa.text("UPDATE states SET name = :name").bindparams(name=str(date(2020, 1, 1))))
    """,
    "a loop and a function": """
        def add(name, kind=sa.String(20)):
            op.add_column("orders", sa.Column(name, kind))
        for name in ("a", "b"):
            if name != "a":
                add(name)
    """,
    "a batch": """
        with op.batch_alter_table("orders", schema=None) as batch_op:
            batch_op.add_column(sa.Column("price", sa.Numeric(10, 2)))
            batch_op.create_index(batch_op.f("ix_price"), ["price"])
    """,
    "a type by its whole name": """
        op.add_column("orders", sa.Column("ip", sa.dialects.postgresql.INET()))
    """,
    "constants of time": """
        day = datetime.datetime(2020, 1, 1) + datetime.timedelta(days=Decimal(1))
        op.execute(textwrap.dedent(f"INSERT INTO days VALUES ('{day}')"))
    """,
    "it raises": "raise NotImplementedError('no way')",
}

IMPURE = {
    "the connection": "op.get_bind()",
    "the connection by another name": "o = op\n        o.get_bind()",
    "the context": "op.get_context().autocommit_block()",
    "a method as a value": "f = op.get_bind\n        f()",
    "getattr": "getattr(op, 'get_' + 'bind')()",
    "an underscore": "op.execute.__globals__",
    "an inspector": "sa.inspect(1)",
    "an engine": "sa.create_engine('sqlite://')",
    "an engine through a submodule": "sa.engine.create_engine('sqlite://')",
    "reflection": "sa.Table('t', sa.MetaData(), autoload_with=1)",
    "the process": "from typing import sys\n        op.execute(sys.argv[1])",
    "the process, through modules": "op.execute(sa.util.compat.sys.argv[1])",
    "the clock": "op.execute(str(datetime.datetime.now()))",
    "the clock, imported": "op.execute(str(date.today()))",
    "the clock, of something": "clock = datetime.datetime\n        op.execute(str(clock.utcnow()))",
    "a default that is the clock": "sa.Column('a', sa.DateTime, default=datetime.datetime.now)",
    "an import": "import os\n        op.execute(os.environ['TENANT'])",
    "an import of alembic": "from alembic import context\n        context.get_x_argument()",
    "chance": "import uuid\n        op.execute(str(uuid.uuid4()))",
    "a file": "op.execute(open('x.sql').read())",
    "its own place": "op.execute(__file__)",
    "output": "print('done')",
    "try": "try:\n            op.execute('x')\n        except Exception:\n            pass",
    "an option of execution": "op.execute('x', execution_options={'a': 1})",
    "with": "with sa.text('x') as y:\n            pass",
    "an operation of a plug-in": "op.create_view('x')",
    "a class": "class A(sa.Integer):\n            pass",
    "a global": "global revision\n        revision = 'b'",
    "an attribute that is set": "sa.String.length = 3",
    "a batch's connection": ("with op.batch_alter_table('t') as b:\n            b.get_bind()"),
    "another meaning": "op = 3",
    "exec": "exec('import os')",
    "an event": "sa.event.listen(sa.Table, 'before_create', str)",
    "a module as a value": "op.execute(str(sa))",
    "of a project": "from shop.helpers import thing\n        thing()",
    "relative": "from . import thing\n        thing()",
}


def revision(body: str) -> str:
    return HEAD + "def upgrade() -> None:\n" + indent(dedent(body), "    ")


@pytest.mark.parametrize("body", PURE.values(), ids=PURE)
def test_what_says_all_itself_is_the_same_for_every_target(body: str) -> None:
    assert impurity_of(revision(body)) is None


@pytest.mark.parametrize("body", IMPURE.values(), ids=IMPURE)
def test_what_may_tell_targets_apart_is_not(body: str) -> None:
    assert impurity_of(revision("\n        " + body)) is not None


def test_what_cannot_be_read_is_not() -> None:
    assert impurity_of("def upgrade(:") == "it can't be read"
