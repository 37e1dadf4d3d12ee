"""Previous states that are kept to go back to."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "versions",
        sa.Column("state", Name, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("state", name="pk_versions"),
        sa.ForeignKeyConstraint(["state"], ["states.id"], name="fk_versions_state"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_versions_slot", "versions", ["slot"])
