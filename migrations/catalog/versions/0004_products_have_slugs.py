"""Products have slugs

Revision: 0004
Revises: 0003
Created: 2026-05-06 16:45
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


# As the table is at this revision: the models are as it will be at the last one.
products = sa.table(
    "products",
    sa.column("id", sa.Integer),
    sa.column("name", sa.String),
    sa.column("slug", sa.String),
)


def upgrade() -> None:
    op.add_column("products", sa.Column("slug", sa.String(240), nullable=True))
    words = sa.func.replace(sa.func.lower(products.c.name), " ", "-", type_=sa.String)
    # One statement, which the server runs on its own, and which --sql can write. The id makes it
    # unique, and a slug that is there is kept, so that it may run twice.
    op.execute(
        products.update()
        .where(products.c.slug.is_(None))
        .values(slug=words + "-" + sa.cast(products.c.id, sa.String(10)))
    )


def downgrade() -> None:
    with op.batch_alter_table("products") as batch:
        batch.drop_column("slug")
