"""What alembic runs; the connection, and its transaction, are the store's."""

from alembic import context

from ipse.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
