"""Count the revisions that an attempt replayed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TABLE = "orchestrator_attempts"


def upgrade() -> None:
    """Add the column, if a killed program has not left it."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}
    if "replayed" not in there:
        op.add_column(_TABLE, sa.Column("replayed", sa.Integer))
