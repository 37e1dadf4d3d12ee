"""Keys of people and services."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", Name, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("subject", Name),
        sa.Column("acting", sa.Boolean, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sqlite_with_rowid=False,
    )
