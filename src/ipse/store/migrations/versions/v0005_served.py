"""What a server keeps: jobs, what was asked for under a key, and who is paused."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Name, nullable=False),
        sa.Column("user", Name),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("methods", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("states", sa.Integer, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("begun", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_jobs_user"),
    )
    op.create_index("ix_jobs_user", "jobs", ["user", "made"])
    op.create_index("ix_jobs_status", "jobs", ["status", "made"])
    op.create_index("ix_jobs_ended", "jobs", ["ended"])
    op.create_table(
        "writes",
        sa.Column("key", Name, nullable=False),
        sa.Column("user", Name, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_writes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_writes_user", "writes", ["user"])
    op.create_index("ix_writes_time", "writes", ["time"])
    op.create_table(
        "paused",
        sa.Column("user", Name, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_paused"),
        sqlite_with_rowid=False,
    )
