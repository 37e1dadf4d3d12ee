"""How many records of a person came since learning began the last time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    counted = sa.Column("unlearned", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("users", counted)
