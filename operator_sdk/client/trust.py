"""Whom a client trusts."""

import functools
import ssl

import httpx


@functools.cache
def authorities() -> ssl.SSLContext:
    """The public certificate authorities, read once a process: that takes longer than most calls do."""
    return httpx.create_ssl_context(trust_env=False)
