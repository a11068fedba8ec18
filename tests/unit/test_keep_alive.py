"""Whoever sends closes an idle connection first, so that no message is sent into one that is being closed."""

import ast
from pathlib import Path

import hub.app
import mobile_bff.app
from hub.core.outbound_pool import KEEP_IDLE_S
from operator_sdk import AsyncHubClient, BearerToken, HubClient

ROOT = Path(__file__).parents[2]

USUAL_OF_SERVERS_S = 5
"""What uvicorn and Node's http keep idle connections for, unless they are told otherwise."""


def test_our_servers_keep_idle_connections_longer_than_our_clients_do() -> None:
    with HubClient("http://hub.test", BearerToken("t")) as client:
        expiry_s = client._http._transport._pool._keepalive_expiry  # type: ignore[attr-defined]
    assert expiry_s is not None
    assert min(hub.app.KEEP_ALIVE_S, mobile_bff.app.KEEP_ALIVE_S) > 2 * expiry_s


async def test_the_other_client_is_no_slower_to_let_go() -> None:
    async with AsyncHubClient("http://hub.test", BearerToken("t")) as client:
        expiry_s = client._http._transport._pool._keepalive_expiry  # type: ignore[attr-defined]
    assert expiry_s is not None
    assert min(hub.app.KEEP_ALIVE_S, mobile_bff.app.KEEP_ALIVE_S) > 2 * expiry_s


def test_the_hub_lets_go_of_a_partner_before_its_server_does() -> None:
    assert KEEP_IDLE_S < USUAL_OF_SERVERS_S


def test_every_server_in_the_tree_says_how_long_it_keeps_an_idle_connection() -> None:
    """Its own habit is as short as a client's, and whoever asks then meets a line that is being closed."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for folder in ("hub", "operator_sdk", "mobile_bff", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    silent = [
        f"{path}:{call.lineno}"
        for path, text in texts.items()
        if "uvicorn.Config(" in text
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "uvicorn.Config"
        and "timeout_keep_alive" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []
