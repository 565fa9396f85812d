"""Every product has a slug, and may be inactive

Revision: 0005
Revises: 0004
Created: 2026-06-22 10:10
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("products") as batch:
        batch.alter_column("slug", existing_type=sa.String(240), nullable=False)
        batch.alter_column(
            "price",
            existing_type=sa.Numeric(8, 2),
            type_=sa.Numeric(12, 2),
            existing_nullable=False,
        )
        batch.add_column(
            sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False)
        )
        batch.create_unique_constraint(batch.f("uq_products_slug"), ["slug"])


def downgrade() -> None:
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(batch.f("uq_products_slug"), type_="unique")
        batch.drop_column("active")
        batch.alter_column(
            "price",
            existing_type=sa.Numeric(12, 2),
            type_=sa.Numeric(8, 2),
            existing_nullable=False,
        )
        batch.alter_column("slug", existing_type=sa.String(240), nullable=True)
