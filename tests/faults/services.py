"""Brokers and caches for fault tests: where they are, and one line where nothing answers."""

import os
import socket
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

AMQP_URL = os.environ.get("INTERPILE_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//")
REDIS_URL = os.environ.get("INTERPILE_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
_USUAL = {"amqp": 5672, "redis": 6379}


def need(url: str, what: str) -> str:
    """The address, where something answers; else the test is skipped, and in CI it fails."""
    parts = urlsplit(url)
    where = (parts.hostname or "127.0.0.1", parts.port or _USUAL[parts.scheme])
    try:
        with socket.create_connection(where, timeout=3):
            return url
    except OSError as problem:
        _missing(f"no {what} at {where[0]}:{where[1]}: {type(problem).__name__}")


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
