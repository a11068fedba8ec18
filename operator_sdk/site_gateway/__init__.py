"""Let the agents of your sites in: one WebSocket each, Ed25519 both ways, acknowledged only what is kept.

    async def site_key(site_id: str) -> Ed25519PublicKey | None:
        return keys.get(site_id)

    inbox = SqliteInbox("operator.db")
    gateway = SiteGateway(gateway_id="MA5AAAAA1", key=key, site_key=site_key, inbox=inbox)

    @gateway.on_connected
    async def connected(site: SiteConnection) -> None:
        await site.command(TariffsCommand(tariffs=tariffs))

    @gateway.on_ask
    async def asked(site_id: str, ask: Ask) -> Answer:
        ...

    app = Starlette(routes=[gateway.route("/edge"), Mount("/", app=operator_app)])

    result = await gateway.command("site-1", CheckCommand(connector_id="C1"))

What a site sends (live updates, states, faults, how it fares, bills) goes to the inbox, and is acknowledged
once the inbox has returned; what the site does not find acknowledged it sends again after a cut.
Frames, commands and answers are in `operator_sdk.contract.edge_link.frames`. `operator_sdk.examples.host` is a
whole operator built on this.

Serve it with a server that speaks WebSocket (uvicorn with `websockets`), `ws_max_size` at least
FRAME_BYTES_MOST, and its pings on: they find a connection that died without a word.
"""

from operator_sdk.site_gateway.connection import GatewayLimits, SiteConnection
from operator_sdk.site_gateway.gateway import SiteAlarm, SiteGateway
from operator_sdk.site_gateway.inbox import Inbox
from operator_sdk.site_gateway.sqlite_inbox import KeptItem, SqliteInbox

__all__ = [
    "GatewayLimits",
    "Inbox",
    "KeptItem",
    "SiteAlarm",
    "SiteConnection",
    "SiteGateway",
    "SqliteInbox",
]
