"""Orders have a total

Revision: 0004
Revises: 0003
Created: 2026-05-14 13:25
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


# As the tables are at this revision: the models are as they will be at the last one.
orders = sa.table("orders", sa.column("id"), sa.column("total"))
lines = sa.table(
    "order_lines", sa.column("order_id"), sa.column("quantity"), sa.column("unit_price")
)


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("total", sa.Numeric(12, 2), server_default="0", nullable=False)
    )
    of_its_lines = (
        sa.select(sa.func.coalesce(sa.func.sum(lines.c.quantity * lines.c.unit_price), 0))
        .where(lines.c.order_id == orders.c.id)
        .scalar_subquery()
    )
    op.execute(orders.update().values(total=of_its_lines))


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_column("total")
