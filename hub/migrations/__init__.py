"""The database's shape, by Alembic, on both engines."""
