"""The first tables."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", Name, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sqlite_with_rowid=False,
    )
    _create_records()
    _create_states()
    for table, column, target in (
        ("lineage", "record", "records"),
        ("parents", "parent", "states"),
    ):
        _create_link(table, column, target)
    op.create_table(
        "doomed",
        sa.Column("artifact", Name, nullable=False),
        sa.PrimaryKeyConstraint("artifact", name="pk_doomed"),
        sqlite_with_rowid=False,
    )
    op.create_table("forgotten", sa.Column("revision", sa.BigInteger, nullable=False))


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("user", Name, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("id", Name, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("rejected", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("meta", sa.Text, nullable=False),
        sa.Column("uses", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user", "time", "id", name="pk_records"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_records_user"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_records_id", "records", ["id"], unique=True)


def _create_states() -> None:
    op.create_table(
        "states",
        sa.Column("id", Name, nullable=False),
        sa.Column("slot", sa.Text),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("user", Name),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("artifact", sa.Text),
        sa.Column("nbytes", sa.BigInteger, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_states"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_states_user"),
    )
    op.create_index("ix_states_slot", "states", ["slot"], unique=True)
    op.create_index("ix_states_user", "states", ["user"])
    op.create_index("ix_states_artifact", "states", ["artifact"])


def _create_link(table: str, column: str, target: str) -> None:
    op.create_table(
        table,
        sa.Column("state", Name, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column(column, Name, nullable=False),
        sa.PrimaryKeyConstraint("state", "position", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["state"], ["states.id"], name=f"fk_{table}_state"),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}"),
        sqlite_with_rowid=False,
    )
    op.create_index(f"ix_{table}_{column}", table, [column])
