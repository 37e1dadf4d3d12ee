"""What only grew is not written, nor read, anew: lineages go from state to state."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    shrunk = sa.Column("shrunk", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("users", shrunk)
    op.execute("UPDATE users SET shrunk = revision")
    op.add_column("states", sa.Column("lineage", sa.Text))
    op.execute("UPDATE states SET lineage = id")
    op.create_index("ix_states_lineage", "states", ["lineage"])
    _list_lineages()


def _list_lineages() -> None:
    """File records under lists, which outlive the states that they were begun for."""
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
