"""A fresh database for every run: a new SQLite file, or a PostgreSQL database made anew."""

import fcntl
import getpass
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from operator_sdk.examples.demo.options import Options
from operator_sdk.examples.demo.trouble import Trouble

PRODUCTION_DATABASE = "interpile_demo"
# Roles belong to the whole server: names of the demonstration's own leave everybody else's alone.
OWNER, SERVING = "interpile_demo_owner", "interpile_demo_serving"
NEVER_DROPPED = {"", "postgres", "template0", "template1"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the hub finds its database; with a migration address, two roles share it."""

    kind: str
    database_url: str
    migration_url: str | None


def fresh_folder(folder: Path) -> TextIO:
    """Empty the work folder; the file returned is a lock that lasts as long as it stays open.

    Raises:
        Trouble: another demonstration works in there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        lock.close()
        raise Trouble(f"another demonstration is running in {folder}") from problem
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    return lock


def fresh_database(options: Options) -> Addresses:
    """Make the database anew.

    Raises:
        Trouble: its server cannot be reached, or does not let us.
    """
    if options.database_url is None and not options.production:
        return Addresses("sqlite", f"sqlite:///{options.folder / 'hub.db'}", None)
    if options.database_url is None:
        return _production()
    kind = urlsplit(options.database_url).scheme.partition("+")[0]
    if kind in {"postgresql", "postgres"}:
        owner_url = options.migration_url or options.database_url
        _make_anew(owner_url)
        return Addresses("postgresql", options.database_url, options.migration_url)
    raise Trouble("DATABASE_URL must be a postgresql:// address; leave it out for SQLite")


def _production() -> Addresses:
    own = f"postgresql://{getpass.getuser()}@127.0.0.1:5432/{PRODUCTION_DATABASE}"
    passwords = {role: secrets.token_hex(16) for role in (OWNER, SERVING)}
    _make_anew(own, roles=passwords)
    owner, serving = (
        f"postgresql://{role}:{password}@127.0.0.1:5432/{PRODUCTION_DATABASE}"
        for role, password in passwords.items()
    )
    return Addresses("postgresql", serving, owner)


MARK = "made by the Interpile demonstration, which drops it without asking"


def _make_anew(url: str, roles: dict[str, str] | None = None) -> None:
    """Drop and create a database through the server's `postgres` database; make the two roles if asked to."""
    import psycopg
    from psycopg import sql

    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    if name in NEVER_DROPPED:
        raise Trouble(f"the demonstration makes its database anew, and will not do that to {name!r}")
    maintenance = parts._replace(scheme="postgresql", path="/postgres").geturl()
    try:
        with psycopg.connect(maintenance, autocommit=True, connect_timeout=5) as server:
            _refuse_others(server, parts._replace(scheme="postgresql").geturl(), name)
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            for role, password in (roles or {}).items():
                _make_role(server, role, password)
            if roles:
                server.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            server.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), MARK))
            if roles:
                pair = sql.Identifier(name), sql.Identifier(OWNER)
                server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*pair))
    except psycopg.Error as problem:
        where = f"{parts.hostname or 'local socket'}:{parts.port or 5432}"
        words = " ".join(str(problem).split())
        raise Trouble(f"PostgreSQL at {where} cannot make the database {name}: {words}") from problem


def _refuse_others(server: object, url: str, name: str) -> None:
    """Only what a demonstration made, or what is empty, is dropped: it may be somebody's books."""
    import psycopg

    assert isinstance(server, psycopg.Connection)
    known = server.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).fetchone()
    if known is None or known[0] == MARK:
        return
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as there:
        tables = there.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
    if tables is not None and tables[0]:
        raise Trouble(
            f"the database {name!r} holds tables and is not a demonstration's; the demonstration makes its"
            " database anew and would drop it: name another one in DATABASE_URL"
        )


def _make_role(server: object, role: str, password: str) -> None:
    from psycopg import Connection, sql

    assert isinstance(server, Connection)
    known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = "ALTER" if known else "CREATE"
    statement = sql.SQL(f"{verb} ROLE {{}} LOGIN PASSWORD {{}}")
    server.execute(statement.format(sql.Identifier(role), sql.Literal(password)))
