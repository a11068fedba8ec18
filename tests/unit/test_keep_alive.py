"""Whoever sends closes an idle connection first, so that no message is sent into one that is being closed."""

import hub.app
import mobile_bff.app
from hub.core.outbound_pool import KEEP_IDLE_S
from operator_sdk import AsyncHubClient, BearerToken, HubClient

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
