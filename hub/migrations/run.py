"""Brings a database to the newest revision, and separates the two roles on PostgreSQL."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine, make_url

from hub.ledger.triggers import grants
from hub.settings import Settings

LOCK = 0x1E7E_2917
"""One migration at a time: a transaction-scoped advisory lock would end with the first revision."""


def sync_url(url: str) -> str:
    """A plain database URL with the driver that migrations use."""
    parsed = make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
    return parsed.set(drivername=drivers[parsed.get_backend_name()]).render_as_string(hide_password=False)


def migrate(settings: Settings, revision: str = "head") -> None:
    """Upgrade to a revision; grant the serving role what it needs when it is another one."""
    engine = _engine(settings.migration_url or settings.database_url)
    try:
        with engine.connect() as connection:
            _lock(connection)
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            _grant(connection, settings)
            connection.commit()
    finally:
        engine.dispose()


def alembic_config() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _engine(url: str) -> Engine:
    engine = create_engine(sync_url(url))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def wait(connection, _record):  # type: ignore[no-untyped-def]
            connection.execute("PRAGMA busy_timeout=30000")

    return engine


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        connection.commit()


def _grant(connection: Connection, settings: Settings) -> None:
    if settings.migration_url is None or connection.dialect.name != "postgresql":
        return
    role = make_url(settings.database_url).username
    if role is None or role == make_url(settings.migration_url).username:
        return
    for statement in grants(role):
        connection.execute(text(statement))
