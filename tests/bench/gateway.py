"""The SDK's gateway with its ready inbox: `python -m tests.bench.gateway WORLD INBOX SITE PUBLIC_KEY`.

It keeps what one site sends in a SQLite file and does nothing else.
"""

import sys
from urllib.parse import urlsplit

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.applications import Starlette

from operator_sdk.contract.edge_link import FRAME_BYTES_MOST
from operator_sdk.contract.signing import public_from_b64url
from operator_sdk.site_gateway import SiteGateway, SqliteInbox
from tests.bench.world import World


def main(world_file: str, inbox: str, site_id: str, public_key: str) -> None:
    """Serve until told to stop."""
    world = World.load(world_file)
    key = public_from_b64url(public_key)

    async def site_key(asked: str) -> Ed25519PublicKey | None:
        return key if asked == site_id else None

    platform = world.platform
    gateway = SiteGateway(
        gateway_id=platform.party_id, key=platform.key(), site_key=site_key, inbox=SqliteInbox(inbox)
    )
    uvicorn.run(
        Starlette(routes=[gateway.route("/edge")]),
        host="127.0.0.1",
        port=urlsplit(world.gateway_url).port or 0,
        log_level="warning",
        ws_max_size=FRAME_BYTES_MOST,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
