"""Products have suppliers

Revision: 0003
Revises: 0002
Created: 2026-03-19 11:20
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "suppliers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("country", sa.String(2), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppliers")),
        sa.UniqueConstraint("name", name=op.f("uq_suppliers_name")),
    )
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("supplier_id", sa.Integer(), nullable=True))
        batch.create_index(batch.f("ix_products_supplier_id"), ["supplier_id"])
        batch.create_foreign_key(
            batch.f("fk_products_supplier_id_suppliers"), "suppliers", ["supplier_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(batch.f("fk_products_supplier_id_suppliers"), type_="foreignkey")
        batch.drop_index(batch.f("ix_products_supplier_id"))
        batch.drop_column("supplier_id")
    op.drop_table("suppliers")
