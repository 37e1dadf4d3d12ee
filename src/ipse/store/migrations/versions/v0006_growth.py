"""What only grew is not written, nor read, anew: lineages go from state to state."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _file_lineages()
    op.create_table(
        "shrunk",
        sa.Column("user", Name, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_shrunk"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_shrunk_user"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO shrunk SELECT id, revision FROM users")


def _file_lineages() -> None:
    op.create_table(
        "lineages",
        sa.Column("state", Name, nullable=False),
        sa.Column("list", Name, nullable=False),
        sa.PrimaryKeyConstraint("state", name="pk_lineages"),
        sa.ForeignKeyConstraint(["state"], ["states.id"], name="fk_lineages_state"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lineages_list", "lineages", ["list"])
    op.execute("INSERT INTO lineages SELECT id, id FROM states")
    op.drop_index("ix_lineage_record", "lineage")
    op.rename_table("lineage", "lineage_of_states")
    op.create_table(
        "lineage",
        sa.Column("list", Name, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("record", Name, nullable=False),
        sa.PrimaryKeyConstraint("list", "position", name="pk_lineage"),
        sa.ForeignKeyConstraint(["record"], ["records.id"], name="fk_lineage_record"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lineage_record", "lineage", ["record"])
    op.execute("INSERT INTO lineage SELECT state, position, record FROM lineage_of_states")
    op.drop_table("lineage_of_states")
