"""Replies that were given to people, and what each was made of."""

import sqlalchemy as sa
from alembic import op

from ipse.store.schema import Name

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("id", Name, nullable=False),
        sa.Column("user", Name, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("methods", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replies"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_replies_user"),
    )
    op.create_index("ix_replies_user", "replies", ["user", "time"])
    op.create_table(
        "origins",
        sa.Column("id", Name, nullable=False),
        sa.Column("user", Name, nullable=False),
        sa.Column("records", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", "user", name="pk_origins"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_origins_user"),
    )
    op.create_index("ix_origins_user", "origins", ["user"])
    op.create_table(
        "sources",
        sa.Column("reply", Name, nullable=False),
        sa.Column("origin", Name, nullable=False),
        sa.PrimaryKeyConstraint("reply", "origin", name="pk_sources"),
        sa.ForeignKeyConstraint(["reply"], ["replies.id"], name="fk_sources_reply"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sources_origin", "sources", ["origin"])
