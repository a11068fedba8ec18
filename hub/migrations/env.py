"""Alembic's entry: runs revisions on the connection that `run.py` hands over."""

from alembic import context

from hub.migrations.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
