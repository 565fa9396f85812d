"""Orders belong to customers, and are found by status

Revision: 0003
Revises: 0002
Created: 2026-03-24 15:40
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.create_index(batch.f("ix_orders_customer_id"), ["customer_id"])
        batch.create_index(batch.f("ix_orders_status_placed_at"), ["status", "placed_at"])
        batch.create_foreign_key(
            batch.f("fk_orders_customer_id_customers"), "customers", ["customer_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_constraint(batch.f("fk_orders_customer_id_customers"), type_="foreignkey")
        batch.drop_index(batch.f("ix_orders_status_placed_at"))
        batch.drop_index(batch.f("ix_orders_customer_id"))
