"""Longer e-mail addresses

Revision: 0005
Revises: 0004
Created: 2026-07-01 08:50
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("customers") as batch:
        batch.alter_column(
            "email",
            existing_type=sa.String(120),
            type_=sa.String(254),
            existing_nullable=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("customers") as batch:
        batch.alter_column(
            "email",
            existing_type=sa.String(254),
            type_=sa.String(120),
            existing_nullable=False,
        )
