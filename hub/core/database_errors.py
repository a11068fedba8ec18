"""What a broken, missing or unreachable database raises: the command line makes one line of it."""

from sqlalchemy.exc import SQLAlchemyError

DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError)
