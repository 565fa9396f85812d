"""Index products by name

Revision: 0002
Revises: 0001
Created: 2026-02-03 14:05
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_products_name"), "products", ["name"])


def downgrade() -> None:
    op.drop_index(op.f("ix_products_name"), table_name="products")
